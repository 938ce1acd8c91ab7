"""Steady load: visitors who ask, read, ask twice at once, stop, are taken over by an agent, and remember what they saw."""

import asyncio
import contextlib
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import aiohttp

from tests.client import ENDED, ChatClient, new_guest
from tests.system import ROOT, LiveSystem

STUCK_SECONDS = 120.0
TURNS_OF_A_CONVERSATION = 8
# (status, content) of every message by its id, as somebody saw it at last.
Transcript = dict[str, tuple[str, str]]


class Agent:
    """Takes conversations over, in a process of its own."""

    def __init__(self, system: LiveSystem) -> None:
        self.system = system
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> "Agent":
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.agent", stdin=pipe, stdout=pipe, env=self.system.env, cwd=ROOT
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        self._process.terminate()
        await self._process.wait()

    async def take_over(self, conversation_id: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._lock:
            self._process.stdin.write(f"{conversation_id}\n".encode())
            assert (await self._process.stdout.readline()).strip() == b"done"


class Crowd:
    """Lets all visitors chat, rest with their tabs closed, or leave."""

    def __init__(self) -> None:
        self.over = False
        self._open, self._nobody = asyncio.Event(), asyncio.Event()
        self._inside = 0
        self.resume()

    async def may_enter(self) -> bool:
        """Wait until chatting is allowed; False once it is over."""
        await self._open.wait()
        return not self.over

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        self._inside += 1
        self._nobody.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._nobody.set()

    @property
    def goes_on(self) -> bool:
        return self._open.is_set() and not self.over

    async def rest(self) -> None:
        """Returns when everybody has finished what they had begun."""
        self._open.clear()
        await self._nobody.wait()

    def resume(self) -> None:
        self._open.set()

    def end(self) -> None:
        self.over = True


@dataclass
class Seen:
    """What all visitors together did and saw."""

    accepted: dict[str, tuple[str, str]] = field(default_factory=dict)  # client id -> conversation id, content
    transcripts: dict[str, list[Transcript]] = field(default_factory=dict)  # by conversation, one a tab
    stuck: list[str] = field(default_factory=list)
    taken_over: set[str] = field(default_factory=set)
    answers: int = 0
    waits: list[float] = field(default_factory=list)


class Person:
    """One visitor with one tab or two, conversation after conversation."""

    def __init__(self, url: str, number: int, agent: Agent, seen: Seen, *, pause: float) -> None:
        self.url, self.number, self.agent, self.seen, self.pause = url, number, agent, seen, pause
        self.chance = random.Random(number)
        self.asked = 0
        self._contents: dict[str, str] = {}

    async def live(self, crowd: Crowd) -> None:
        """Go on until told to end; a turn that was begun is finished."""
        visitor = None
        while visitor is None:
            try:
                visitor = await new_guest(self.url)
            except (aiohttp.ClientError, OSError) as error:
                # The page may be away just now; what a browser shows then is no concern of this test.
                if crowd.over:
                    raise RuntimeError("the page never came") from error
                await asyncio.sleep(0.5)
        while await crowd.may_enter():
            async with contextlib.AsyncExitStack() as tabs:
                tabs.enter_context(crowd.inside())
                first = await tabs.enter_async_context(ChatClient(visitor, frames=deque(maxlen=1)))
                second = None
                for _ in range(self.chance.randrange(1, TURNS_OF_A_CONVERSATION)):
                    if second is None and first.conversation_id and self.chance.random() < 0.1:
                        tab = ChatClient(visitor, conversation_id=first.conversation_id, frames=deque(maxlen=1))
                        second = await tabs.enter_async_context(tab)
                    if not await self._turn(first) or not crowd.goes_on:
                        break
                await self._remember([first] if second is None else [first, second])

    async def _turn(self, tab: ChatClient) -> bool:
        """Ask and wait for the end; False when the conversation should not go on."""
        await asyncio.sleep(self.chance.uniform(0, 2 * self.pause))
        answers, began = len(tab.replies()), time.monotonic()
        asked = [await self._ask(tab)]
        if tab.conversation_id is not None and self.chance.random() < 0.1:
            asked.append(await self._ask(tab))
        if not await self._accepted(tab, asked):
            return False
        what = self.chance.random()
        if what < 0.05:
            await self._comes(
                lambda: any(text for _attempt, text in tab.running.values()) or tab.answered(answers + 1), tab
            )
            await tab.send({"type": "stop", "conversation_id": tab.conversation_id})
        elif what < 0.08:
            await self.agent.take_over(str(tab.conversation_id))
            self.seen.taken_over.add(str(tab.conversation_id))
            # Nobody but the agent answers this one.
            asked.append(await self._ask(tab))
            if await self._accepted(tab, asked[-1:]):
                await self._comes(lambda: taken_over(tab, asked), tab)
            return False
        if not await self._comes(lambda: answered(tab, asked), tab):
            return False
        self.seen.answers += 1
        self.seen.waits.append(time.monotonic() - began)
        return True

    async def _ask(self, tab: ChatClient) -> str:
        tokens = self.chance.randrange(3, 60)
        self.asked += 1
        what = f"Question {self.asked} of visitor {self.number} [[fake: tokens={tokens} interval=0.03 first=0.1]]"
        client_id = await tab.ask(what)
        self._contents[client_id] = what
        return client_id

    async def _accepted(self, tab: ChatClient, asked: list[str]) -> bool:
        """Wait for every `ack`, and remember what was promised with it."""
        if not await self._comes(lambda: not tab.unacknowledged and tab.conversation_id is not None, tab):
            return False
        self.seen.accepted |= {one: (str(tab.conversation_id), self._contents[one]) for one in asked}
        return True

    async def _comes(self, condition: Callable[[], bool], tab: ChatClient) -> bool:
        try:
            await tab.until(condition, STUCK_SECONDS)
        except TimeoutError:
            self.seen.stuck.append(f"visitor {self.number} in {tab.conversation_id}")
            return False
        return True

    async def _remember(self, tabs: list[ChatClient]) -> None:
        """Let every tab come to show the same, and keep it."""
        conversation_id = tabs[0].conversation_id
        if conversation_id is None:
            return
        for tab in tabs:
            await self._comes(lambda tab=tab: transcript(tab) == transcript(tabs[0]), tab)  # type: ignore[misc]
            self.seen.transcripts.setdefault(conversation_id, []).append(transcript(tab))


def transcript(tab: ChatClient) -> Transcript:
    return {message["message_id"]: (message["status"], message["content"]) for message in tab.messages.values()}


def complete(tab: ChatClient, asked: list[str]) -> bool:
    """Whether the tab holds what was asked, and knows of nothing that it lacks."""
    held = tab.messages.values()
    return set(asked) <= {message["client_id"] for message in held} and tab.cursor >= max(int(m["seq"]) for m in held)


def answered(tab: ChatClient, asked: list[str]) -> bool:
    """Whether everything that was asked is there and the last thing shown is an answer that has ended."""
    if not complete(tab, asked):
        return False
    shown = [message for message in tab.messages.values() if message["status"] != "discarded"]
    last = max(shown, key=lambda message: int(message["position"]))
    return last["role"] == "assistant" and last["status"] in ENDED


def taken_over(tab: ChatClient, asked: list[str]) -> bool:
    """Whether the takeover is there and no reply runs any more."""
    held = tab.messages.values()
    return complete(tab, asked) and any(m["role"] == "system" for m in held) and all(m["status"] in ENDED for m in held)
