"""A human agent at work: takes over the conversations whose ids come on standard input, one a line, and answers `done`.

Runs in a process of its own, with the settings of the system under test.
"""

import os
import sys
from functools import partial
from uuid import UUID

from deploy.tests.processes import until


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
    import django

    django.setup()
    from django.db import Error, connection

    from conversations.replies import take_over

    def click(conversation_id: UUID) -> bool:
        """False when the database was away, perhaps after it had stored the takeover."""
        try:
            take_over(conversation_id=conversation_id)
        except Error:
            return False
        finally:
            connection.close()
        return True

    for line in sys.stdin:
        until(partial(click, UUID(line.strip())), "the takeover", seconds=60)
        print("done", flush=True)


if __name__ == "__main__":
    main()
