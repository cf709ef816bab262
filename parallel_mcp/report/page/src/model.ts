// What the two tools return, read from JSON that may contain anything. Fields of a wrong type are read as empty.

export type Confidence = "low" | "medium" | "high";
export type Status = "working" | "completed" | "failed" | "cancelled";

export interface Citation {
  number: number;
  url: string;
  title: string;
  excerpts: string[];
}

/** The basis of a field. `citations` are citation numbers. */
export interface Basis {
  field: string;
  reasoning: string;
  confidence: Confidence | null;
  citations: number[];
}

export interface Answer {
  content: string;
  data: unknown;
  citations: Citation[];
  basis: Basis[];
  model: string;
  costUsd: number | null;
  seconds: number | null;
  reused: boolean;
  warnings: string[];
}

/** A research run or a web answer. A web answer has no id and is never waited for. */
export interface Report {
  researchId: string | null;
  status: Status;
  question: string;
  model: string;
  createdAt: string | null;
  seconds: number | null;
  answer: Answer | null;
  error: string | null;
}

type Fields = Record<string, unknown>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const texts = (value: unknown): string[] => list(value).filter((item): item is string => typeof item === "string");
const oneOf = <T extends string>(value: unknown, known: readonly T[]): T | null =>
  known.find((item) => item === value) ?? null;

const CONFIDENCES = ["low", "medium", "high"] as const;
const STATUSES = ["working", "completed", "failed", "cancelled"] as const;

/** A tool's structured content: a research run or a web answer, or null if it is neither. */
export function readReport(value: unknown, question = ""): Report | null {
  if (!isFields(value)) return null;
  if ("content" in value) {
    const answer = readAnswer(value);
    const { model, seconds } = answer;
    return { researchId: null, status: "completed", question, model, createdAt: null, seconds, answer, error: null };
  }
  const status = oneOf(value.status, STATUSES);
  if (status === null) return null;
  return {
    researchId: text(value.research_id) || null,
    status,
    question: text(value.question) || question,
    model: text(value.model),
    createdAt: text(value.created_at) || null,
    seconds: number(value.seconds),
    answer: isFields(value.answer) ? readAnswer(value.answer) : null,
    error: text(value.error) || null,
  };
}

function readAnswer(value: Fields): Answer {
  return {
    content: text(value.content),
    data: value.data ?? null,
    citations: list(value.citations).filter(isFields).map(readCitation),
    basis: list(value.basis).filter(isFields).map(readBasis),
    model: text(value.model),
    costUsd: number(value.cost_usd),
    seconds: number(value.seconds),
    reused: value.reused === true,
    warnings: texts(value.warnings),
  };
}

const readCitation = (value: Fields): Citation => ({
  number: number(value.number) ?? 0,
  url: text(value.url),
  title: text(value.title),
  excerpts: texts(value.excerpts),
});

const readBasis = (value: Fields): Basis => ({
  field: text(value.field),
  reasoning: text(value.reasoning),
  confidence: oneOf(value.confidence, CONFIDENCES),
  citations: list(value.citations).map(number).filter((item): item is number => item !== null),
});
