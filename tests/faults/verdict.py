"""What must hold after the faults: read from the database and compared with what the visitors saw and what the model said."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.fake_behaviour import DIRECTIVE, Behaviour, directive
from benchmarks.fake_reply import tokens_of
from tests.system import LiveSystem

from .visitors import Seen, Transcript

MESSAGES = """
SELECT conversation_id::text, id::text, role, status, content, client_id::text, position, seq, metadata -> 'error', attempt
FROM conversations_message WHERE %s::uuid IS NULL OR conversation_id = %s ORDER BY conversation_id, position
"""
# A message holds its latest number alone; these tables know of each that was given.
NOTE_NUMBERS = """
CREATE TABLE given_number (conversation_id uuid, seq bigint);
CREATE FUNCTION note_number() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO given_number VALUES (NEW.conversation_id, NEW.seq); RETURN NULL; END';
CREATE TRIGGER note_new AFTER INSERT ON conversations_message FOR EACH ROW EXECUTE FUNCTION note_number();
CREATE TRIGGER note_change AFTER UPDATE ON conversations_message FOR EACH ROW
    WHEN (OLD.seq IS DISTINCT FROM NEW.seq) EXECUTE FUNCTION note_number();
"""
NUMBERS = """
SELECT c.id::text FROM conversations_conversation c
LEFT JOIN (
    SELECT conversation_id, min(seq) AS lowest, count(*) AS given, count(DISTINCT seq) AS different, max(seq) AS highest
    FROM given_number GROUP BY conversation_id
) g ON g.conversation_id = c.id
WHERE (lowest, given, different, highest) IS DISTINCT FROM (1, last_seq, last_seq, last_seq)
    OR message_count <> (SELECT count(*) FROM conversations_message m WHERE m.conversation_id = c.id)
"""
ACTIVE = {"queued", "streaming"}
# After so many a reply ends with an apology; the driver runs without Django, so this says it again.
MAX_ATTEMPTS = 5


@dataclass(frozen=True)
class Row:
    conversation_id: str
    message_id: str
    role: str
    status: str
    content: str
    client_id: str | None
    position: int
    seq: int
    error: dict[str, Any] | None
    attempt: int = 1


Logs = Mapping[str, list[Row]]


def note_numbers(system: LiveSystem) -> None:
    """Keep every number that is given from now on."""
    with psycopg.connect(system.database_url, autocommit=True) as connection:
        connection.execute(NOTE_NUMBERS)


def logs_of(system: LiveSystem, conversation_id: str | None = None) -> Logs:
    """The transcript of every conversation, or of one, by position."""
    logs: dict[str, list[Row]] = defaultdict(list)
    for values in system.rows(MESSAGES, conversation_id, conversation_id):
        logs[values[0]].append(Row(*values))
    return logs


def endings(logs: Logs) -> Counter[str]:
    """How often replies ended how."""
    return Counter(
        f"{row.status} {row.error['code']}" if row.error else row.status
        for log in logs.values()
        for row in log
        if row.role == "assistant"
    )


def judge(system: LiveSystem, logs: Logs, seen: Seen) -> dict[str, list[str]]:
    """The violations by kind, each named by its conversation or message; all lists are empty when all is well."""
    rows = [row for log in logs.values() for row in log]
    asked = {str(row.client_id): (row.conversation_id, row.content) for row in rows if row.role == "user"}
    times = Counter(str(row.client_id) for row in rows if row.role == "user")
    return {
        "lost": [client_id for client_id, promised in seen.accepted.items() if asked.get(client_id) != promised],
        "stored twice": [client_id for client_id in times if times[client_id] > 1],
        "without exactly one reply": [key for key in logs if not answered_once(logs[key])],
        "not what the model said": [row.message_id for log in logs.values() for row in _misquoted(log)],
        "failed by ourselves": [row.message_id for row in rows if _is_our_failure(row)],
        "stuck": seen.stuck + [row.message_id for row in rows if row.status in ACTIVE],
        "numbers with a gap or twice": [row[0] for row in system.rows(NUMBERS)],
        "transcripts that differ": [
            f"{key}: {difference}"
            for key, transcripts in seen.transcripts.items()
            for difference in _differences(logs[key], transcripts)
        ],
        "takeovers not once": [
            key for key, log in logs.items() if [row.role for row in log].count("system") != (key in seen.taken_over)
        ],
        "spoken after a takeover": [key for key in logs if _spoke_after_takeover(logs[key])],
    }


def answered_once(log: list[Row]) -> bool:
    """Between what was asked together and the next thing asked, one answer is shown; none is needed once an agent took over."""
    waiting, answers = False, 1
    for row in log:
        if row.role == "system":
            return answers <= 1
        if row.role == "user":
            if not waiting and answers != 1:
                return False
            waiting, answers = True, 0
        elif row.status != "discarded":
            waiting, answers = False, answers + 1
    return answers == 1


def _is_our_failure(row: Row) -> bool:
    """Whether no fault of the model explains how a reply failed, nor that it was interrupted again and again."""
    return (row.error or {}).get("code") in {"internal", "deadline_exceeded"} and row.attempt <= MAX_ATTEMPTS


def _misquoted(log: list[Row]) -> list[Row]:
    """The replies that do not hold what the stand-in model answers to the question before them, or the beginning of it."""
    wrong, said = [], ""
    for row in log:
        if row.role == "user":
            behaviour = Behaviour().merged(directive(row.content))
            said = "".join(tokens_of(behaviour, DIRECTIVE.sub("", row.content).strip())).strip()
        elif row.role == "assistant" and not _quotes(row, said):
            wrong.append(row)
    return wrong


def _quotes(row: Row, said: str) -> bool:
    """Whether a reply holds what was said as far as its status promises; one that failed has bad news behind it."""
    if row.status == "sent":
        return row.content == said
    notice = row.error["message"] if row.error else ""
    return row.content.endswith(notice) and said.startswith(row.content.removesuffix(notice).strip())


def _differences(log: list[Row], transcripts: list[Transcript]) -> list[str]:
    """Each message that somebody saw otherwise than it is stored, or not at all."""
    stored = {row.message_id: (row.status, row.content) for row in log}
    return [
        f"{message_id} stored {stored.get(message_id)} shown {shown.get(message_id)}"
        for shown in transcripts
        for message_id in stored.keys() | shown.keys()
        if stored.get(message_id) != shown.get(message_id)
    ]


def _spoke_after_takeover(log: list[Row]) -> bool:
    """Whether an answer was completed, by its number, after the event of the takeover."""
    took = min((row.seq for row in log if row.role == "system"), default=None)
    if took is None:
        return False
    return any(row.seq > took and row.role == "assistant" and row.status != "discarded" for row in log)
