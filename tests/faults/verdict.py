"""What must hold after the faults: read from the database and compared with what the visitors saw."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from tests.system import LiveSystem

from .visitors import Seen, Transcript

MESSAGES = """
SELECT conversation_id::text, id::text, role, status, content, client_id::text, position, seq
FROM conversations_message ORDER BY conversation_id, position
"""
NUMBERS = """
SELECT c.id::text FROM conversations_conversation c JOIN conversations_message m ON m.conversation_id = c.id
GROUP BY c.id HAVING max(m.seq) <> c.last_seq OR count(DISTINCT m.seq) <> count(*) OR count(*) <> c.message_count
"""


ACTIVE = {"queued", "streaming"}


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


def judge(system: LiveSystem, seen: Seen) -> dict[str, list[str]]:
    """The violations by kind, each named by its conversation or message; all lists are empty when all is well."""
    logs: dict[str, list[Row]] = defaultdict(list)
    for values in system.rows(MESSAGES):
        logs[values[0]].append(Row(*values))
    stored = [row for log in logs.values() for row in log if row.role == "user"]
    times = Counter(str(row.client_id) for row in stored)
    return {
        "lost": [client_id for client_id in seen.accepted if client_id not in times],
        "stored twice": [client_id for client_id in times if times[client_id] > 1],
        "without exactly one reply": [key for key in logs if not _answered_once(logs[key])],
        "stuck": seen.stuck + [row.message_id for log in logs.values() for row in log if row.status in ACTIVE],
        "numbers with a gap or twice": [row[0] for row in system.rows(NUMBERS)],
        "transcripts that differ": [
            f"{key}: {difference}"
            for key, transcripts in seen.transcripts.items()
            for difference in _differences(logs[key], transcripts)
        ],
        "spoken after a takeover": [key for key in logs if _spoke_after_takeover(logs[key])],
    }


def _answered_once(log: list[Row]) -> bool:
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
