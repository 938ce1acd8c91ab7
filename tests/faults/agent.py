"""A human agent at work: takes over the conversations whose ids come on standard input, one a line, and answers `done` or `failed`.

Runs in a process of its own, with the settings of the system under test.
"""

import os
import sys
from uuid import UUID


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
    import django

    django.setup()
    from django.db import Error, connection

    from conversations.replies import take_over

    for line in sys.stdin:
        try:
            take_over(conversation_id=UUID(line.strip()))
            print("done", flush=True)
        except Error:
            print("failed", flush=True)
        finally:
            connection.close()


if __name__ == "__main__":
    main()
