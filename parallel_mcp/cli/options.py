"""Settings as flags, and settings read from the environment and the flags."""

import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, get_args

import click

from parallel_mcp import settings as configuration
from parallel_mcp.cli import logs
from parallel_mcp.cli.ending import Misused
from parallel_mcp.cli.flags import flag_of, given_flags
from parallel_mcp.settings import Settings, SettingsError

Command = TypeVar("Command", bound=Callable[..., Any])

NAME = "parallel-mcp"

LAST_EXPORT_SECONDS = 2.0


class SettingOption(click.Option):
    """The flag of a setting."""


class OwnOptionsFirst(click.Command):
    """A command whose help lists its own options before the settings, which many commands share."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands of a group, then the settings."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": [], "Settings": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections["Settings" if isinstance(parameter, SettingOption) else "Options"].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
            if title == "Options" and isinstance(self, click.Group):
                self.format_commands(ctx, formatter)


class OwnOptionsFirstGroup(OwnOptionsFirst, click.Group):
    """A group with the same help."""


def setting_flags(*, http: bool) -> Callable[[Command], Command]:
    """A flag for each setting that is not a secret."""

    def decorate(command: Command) -> Command:
        for name, field in reversed(configuration.fields().items()):
            if name in configuration.SECRETS or (name in configuration.HTTP_ONLY and not http):
                continue
            flag = flag_of(name)
            flags = f"{flag}/--no-{flag[2:]}" if field.annotation is bool else flag
            help_text = f"{field.description} [{configuration.variable(name)}]"
            several = field.default == ()
            command = click.option(
                flags,
                name,
                cls=SettingOption,
                default=None,
                help=help_text,
                metavar=_metavar(field.annotation),
                multiple=several,
                callback=_joined if several else None,
            )(command)
        return command

    return decorate


def no_front(command: Command) -> Command:
    """Accept --no-front, which only the front acts on."""
    text = "Serve in one process, which releases research runs in progress when the host goes"
    return click.option("--no-front", is_flag=True, expose_value=False, help=text)(command)


def _joined(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values of a flag that may be repeated or separated by commas; None if it was not given."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip()) or None


def _metavar(annotation: Any) -> str | None:
    choices = [choice for choice in get_args(annotation) if isinstance(choice, str)]
    if choices:
        return "|".join(choices)
    return None if annotation is bool else "VALUE"


class Usable(NamedTuple):
    """The valid settings, what is wrong with the others, and warnings for a person."""

    settings: Settings
    fault: str | None
    warnings: list[str]

    def warn(self) -> None:
        """Print the warnings on stderr."""
        for warning in self.warnings:
            click.echo(f"{NAME}: {warning}", err=True)


def settings_of(flags: dict[str, Any], *, asking: bool = False) -> Settings:
    """Read settings from the environment and the flags, and set up logging. Raises Misused if one is wrong.

    `asking` shows a progress bar at a terminal while the sandbox's corpus is indexed.
    """
    found = usable_settings(flags)
    if found.fault is not None:
        raise Misused(f"The settings are wrong. {found.fault}")
    found.warn()
    if asking and found.settings.sandbox and sys.stderr.isatty():
        from parallel_mcp.cli.sandbox import index_corpus
        from parallel_mcp.sandbox import SandboxOptions

        index_corpus(SandboxOptions(corpus=found.settings.corpus))
    return found.settings


def usable_settings(flags: dict[str, Any]) -> Usable:
    """Read the valid settings, and set up logging."""
    from parallel_mcp import telemetry

    fault, warnings, given = None, list[str](), given_flags(flags)
    try:
        settings, warnings = configuration.read(os.environ, given, configuration.key_file())
    except SettingsError as error:
        settings, fault = error.usable, str(error)
        for name in given:
            fault = fault.replace(f"{configuration.variable(name)}:", f"{flag_of(name)}:")
    logs.set_up(settings.log_level)
    telemetry.take_traceparent_only()
    unmet = telemetry.export(telemetry.wanted(os.environ))
    click.get_current_context().call_on_close(lambda: telemetry.flush(LAST_EXPORT_SECONDS))
    if settings.sandbox:
        from parallel_mcp.sandbox import SandboxOptions

        try:
            SandboxOptions(corpus=settings.corpus)
        except ValueError as error:
            settings, fault = settings.model_copy(update={"corpus": ()}), str(error)
    return Usable(settings, fault, [*warnings, *([unmet] if unmet else [])])
