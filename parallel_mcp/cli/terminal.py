"""Words from elsewhere on a terminal."""


def plain(words: str) -> str:
    """Words without Rich's markup."""
    return words.replace("[", "\\[")
