"""HiveServer2 over HTTP that misbehaves when told to, for tests of what a bad engine does to floe.

One server on a free port of 127.0.0.1, in threads of the test's own process, with any number of engines below it, so that one pass
meets them all:

    with Mock() as mock:
        bad = mock.engine("bad")                       # url: bad.url
        bad.work = lambda statement: table.rewrite()   # what a statement does to the world, done once, when it ends well
        bad.misbehave("OpenSession", answer(503))      # a regular expression over the call's name
        bad.heal()
        bad.calls("ExecuteStatement")                  # what was asked

Without orders it behaves as Spark's Thrift Server does: asynchronous statements, handles that are forgotten when they are closed,
CloseSession ends what its session runs. Separate from catalog.py, because the protocols share nothing but HTTP. The wire format comes
from the lab's TCLIService (PyHive), which floe's own codec shares nothing with.
"""
from __future__ import annotations

import base64
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Callable

import served
from served import hang, reset_at_close  # hang: for the tests, as the other behaviours

from TCLIService import TCLIService, ttypes
from thrift.Thrift import TApplicationException, TMessageType
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

RUNNING, FINISHED, CANCELED = ttypes.TOperationState.RUNNING_STATE, ttypes.TOperationState.FINISHED_STATE, ttypes.TOperationState.CANCELED_STATE
FAILED = ttypes.TOperationState.ERROR_STATE


# -------------------------------------------------------------------------------------------------
# Behaviours: functions of an exchange that do something else than to send its normal answer
# -------------------------------------------------------------------------------------------------

Behaviour = Callable[["Exchange"], None]


def answer(status: int, body: bytes | str = b"", **headers: str) -> Behaviour:
    """A fixed answer of HTTP, without a look at the call; header names with _ for -."""
    data = body.encode() if isinstance(body, str) else body
    return lambda exchange: exchange.send(status, data, {name.replace("_", "-"): value for name, value in headers.items()})


def refused(message: str, code: int = ttypes.TStatusCode.ERROR_STATUS, **more: Any) -> Behaviour:
    """A proper answer whose status is an error, as HiveServer2 refuses."""
    return lambda exchange: exchange.send_reply(exchange.refusal(message, code, **more))


def fault(message: str, kind: int = TApplicationException.INTERNAL_ERROR) -> Behaviour:
    """A Thrift exception in place of a reply."""
    return lambda exchange: exchange.send(200, exchange.pack(TMessageType.EXCEPTION, TApplicationException(kind, message)))


def changed(change: Callable[[Any], Any]) -> Behaviour:
    """The normal reply after change(reply); the call is carried out."""
    def behave(exchange: "Exchange") -> None:
        reply = exchange.normal()
        change(reply)
        exchange.send_reply(reply)
    return behave


def edited(change: Callable[[bytes], bytes]) -> Behaviour:
    """The bytes of the normal reply, changed; the call is carried out."""
    return lambda exchange: exchange.send(200, change(exchange.pack_reply(exchange.normal())))


def unanswered(exchange: "Exchange") -> None:
    """The call is carried out, but the connection ends before the answer."""
    exchange.normal()
    reset(exchange)


def forgotten(exchange: "Exchange") -> None:
    """The engine was restarted before the call: it knows no handle."""
    exchange.engine.forget()
    exchange.send_reply(exchange.normal())


def finished_unanswered(exchange: "Exchange") -> None:
    """ExecuteStatement is received and the statement carried out, but the connection ends before the answer."""
    exchange.normal()
    exchange.engine.finish()
    reset(exchange)


def reset(exchange: "Exchange") -> None:
    """The connection is reset in place of an answer."""
    reset_at_close(exchange)
    exchange.connection.close()


def promised(body: bytes, length: int) -> Behaviour:
    """A body that ends before the length that its header promises."""
    def behave(exchange: "Exchange") -> None:
        exchange.send_head(200, length, {})
        exchange.wfile.write(body)
        reset(exchange)
    return behave


# -------------------------------------------------------------------------------------------------
# One call
# -------------------------------------------------------------------------------------------------

@dataclass
class Call:
    """A request as it came: the call's name and argument, and its HTTP headers."""
    name: str
    request: Any
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)


class Exchange(served.Exchange):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.engine = self.server.mock.engines.get(self.path.split("/")[1])
        if self.engine is None:
            self.send(404, b"no such engine")
            return
        protocol = TBinaryProtocol(TMemoryBuffer(body))
        self.name, _, self.sequence = protocol.readMessageBegin()
        arguments = getattr(TCLIService, self.name + "_args")()
        arguments.read(protocol)
        self.request = arguments.req
        with self.engine.lock:
            self.engine.log.append(Call(self.name, self.request, dict(self.headers.items())))
        try:
            behaviour = self.engine.behaviour(self.name)
            if behaviour is not None:
                behaviour(self)
                return
            if not self.engine.admits(self.headers.get("Authorization", "")):
                self.send(401, b"Authentication Error: wrong user or password")
                return
            self.send_reply(self.normal())
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def normal(self) -> Any:
        """Carries the call out; what a well-behaved server replies."""
        with self.engine.lock:
            return getattr(self.engine, "_" + self.name)(self.request)

    def refusal(self, message: str, code: int = ttypes.TStatusCode.ERROR_STATUS, **more: Any) -> Any:
        return getattr(ttypes, f"T{self.name}Resp")(status=ttypes.TStatus(statusCode=code, errorMessage=message, **more))

    def pack(self, kind: int, message: Any) -> bytes:
        buffer = TMemoryBuffer()
        protocol = TBinaryProtocol(buffer)
        protocol.writeMessageBegin(self.name, kind, self.sequence)
        message.write(protocol)
        protocol.writeMessageEnd()
        return buffer.getvalue()

    def pack_reply(self, reply: Any) -> bytes:
        return self.pack(TMessageType.REPLY, getattr(TCLIService, self.name + "_result")(success=reply))

    def send_reply(self, reply: Any) -> None:
        self.send(200, self.pack_reply(reply), {"Content-Type": "application/x-thrift"})

    def send_head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_head(status, len(body), headers or {})
        self.wfile.write(body)


# -------------------------------------------------------------------------------------------------
# An engine
# -------------------------------------------------------------------------------------------------

@dataclass
class Operation:
    statement: str
    session: bytes
    polls: int
    state: int = RUNNING
    error: str | None = None


class Engine:
    """work: what a statement does when it ends well; polls: how often it is asked for until it ends; ends: another state and error text to end with."""

    def __init__(self, mock: "Mock", name: str):
        self.name, self.url = name, f"{mock.uri}/{name}/cliservice"
        self.lock = threading.RLock()
        self.rules: list[list[Any]] = []  # pattern, behaviour, how often still
        self.log: list[Call] = []
        self.login: tuple[str, str] | None = None  # the one user and password it takes
        self.work: Callable[[str], Any] = lambda statement: None
        self.polls: float = 1
        self.ends: tuple[int, str | None] | None = None
        self.sessions: dict[bytes, dict[str, str]] = {}  # of those that are open: their configuration
        self.operations: dict[bytes, Operation] = {}     # of open sessions, not closed
        self.history: list[Operation] = []
        self.overlaps: list[tuple[str, str]] = []

    def misbehave(self, pattern: str, behaviour: Behaviour, times: float = float("inf")) -> None:
        """From now on, for every call that matches, or so often; the rule that was made first wins."""
        self.rules.append([pattern, behaviour, times])

    def behaviour(self, name: str) -> Behaviour | None:
        with self.lock:
            for rule in self.rules:
                if re.fullmatch(rule[0], name) and rule[2] > 0:
                    rule[2] -= 1
                    return rule[1]
        return None

    def heal(self) -> None:
        """No more misbehaviour, and what runs ends the next time somebody asks."""
        with self.lock:
            self.rules.clear()
            self.ends, self.polls = None, 1
            for one in self.history:
                one.polls = 1

    def finish(self) -> None:
        """The last statement is carried out, whether or not anybody asks."""
        with self.lock:
            one = self.history[-1]
            self.work(one.statement)
            one.state = FINISHED

    def forget(self) -> None:
        """As after a restart: no session, no operation, and nothing runs."""
        with self.lock:
            for guid in list(self.sessions):
                self._end_session(guid)

    def calls(self, pattern: str = ".*") -> list[Call]:
        with self.lock:
            return [call for call in self.log if re.fullmatch(pattern, call.name)]

    def running(self) -> list[Operation]:
        with self.lock:
            return [one for one in self.history if one.state == RUNNING]

    def done(self) -> list[Operation]:
        """Statements that were carried out."""
        with self.lock:
            return [one for one in self.history if one.state == FINISHED]

    def admits(self, authorization: str) -> bool:
        wanted = "Basic " + base64.b64encode(":".join(self.login).encode()).decode() if self.login else None
        return wanted is None or authorization == wanted

    # calls

    OK = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)

    @staticmethod
    def _handle(guid: bytes) -> Any:
        return ttypes.THandleIdentifier(guid=guid, secret=b"handle-secret-16")

    @staticmethod
    def _unknown(kind: str) -> Any:
        text = f"org.apache.hive.service.cli.HiveSQLException: {kind}"
        return ttypes.TStatus(statusCode=ttypes.TStatusCode.ERROR_STATUS, infoMessages=["*" + text + ":17:16"], errorCode=0, errorMessage=kind)

    def _end_session(self, guid: bytes) -> None:
        del self.sessions[guid]
        for key, one in list(self.operations.items()):
            if one.session == guid:
                if one.state == RUNNING:
                    one.state = CANCELED
                del self.operations[key]

    def _OpenSession(self, request: Any) -> Any:
        guid = uuid.uuid4().bytes
        self.sessions[guid] = dict(request.configuration or {})
        return ttypes.TOpenSessionResp(status=self.OK, serverProtocolVersion=request.client_protocol,
                                       sessionHandle=ttypes.TSessionHandle(sessionId=self._handle(guid)), configuration={})

    def _ExecuteStatement(self, request: Any) -> Any:
        session = request.sessionHandle.sessionId.guid
        if session not in self.sessions:
            return ttypes.TExecuteStatementResp(status=self._unknown("Invalid SessionHandle: SessionHandle [5d7f]"))
        one = Operation(request.statement, session, self.polls)
        self.overlaps += [(other.statement, one.statement) for other in self.history if other.state == RUNNING]
        guid = uuid.uuid4().bytes
        self.operations[guid] = one
        self.history.append(one)
        return ttypes.TExecuteStatementResp(status=self.OK, operationHandle=ttypes.TOperationHandle(
            operationId=self._handle(guid), operationType=ttypes.TOperationType.EXECUTE_STATEMENT, hasResultSet=True))

    def _of(self, request: Any) -> Operation | None:
        return self.operations.get(request.operationHandle.operationId.guid)

    def _GetOperationStatus(self, request: Any) -> Any:
        one = self._of(request)
        if one is None:
            return ttypes.TGetOperationStatusResp(status=self._unknown("Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT]"))
        if one.state == RUNNING:
            one.polls -= 1
            if one.polls <= 0 and self.ends is not None:
                one.state, one.error = self.ends
            elif one.polls <= 0:
                self.work(one.statement)
                one.state = FINISHED
        return ttypes.TGetOperationStatusResp(status=self.OK, operationState=one.state, errorMessage=one.error, hasResultSet=True)

    def _GetResultSetMetadata(self, request: Any) -> Any:
        if self._of(request) is None:
            return ttypes.TGetResultSetMetadataResp(status=self._unknown("Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT]"))
        number = ttypes.TTypeDesc([ttypes.TTypeEntry(primitiveEntry=ttypes.TPrimitiveTypeEntry(ttypes.TTypeId.INT_TYPE))])
        return ttypes.TGetResultSetMetadataResp(status=self.OK, schema=ttypes.TTableSchema(
            [ttypes.TColumnDesc(name, number, place + 1) for place, name in enumerate(("rewritten_data_files_count", "added_data_files_count"))]))

    def _FetchResults(self, request: Any) -> Any:
        if self._of(request) is None:
            return ttypes.TFetchResultsResp(status=self._unknown("Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT]"))
        values = [12] if request.orientation == ttypes.TFetchOrientation.FETCH_FIRST else []
        columns = [ttypes.TColumn(i32Val=ttypes.TI32Column(values, b"\x00")) for _ in range(2)]
        return ttypes.TFetchResultsResp(status=self.OK, hasMoreRows=False, results=ttypes.TRowSet(0, [], columns))

    def _CancelOperation(self, request: Any) -> Any:
        one = self._of(request)
        if one is None:
            return ttypes.TCancelOperationResp(status=self._unknown("Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT]"))
        if one.state == RUNNING:
            one.state = CANCELED
        return ttypes.TCancelOperationResp(status=self.OK)

    def _CloseOperation(self, request: Any) -> Any:
        if self.operations.pop(request.operationHandle.operationId.guid, None) is None:
            return ttypes.TCloseOperationResp(status=self._unknown("Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT]"))
        return ttypes.TCloseOperationResp(status=self.OK)

    def _CloseSession(self, request: Any) -> Any:
        if request.sessionHandle.sessionId.guid not in self.sessions:
            return ttypes.TCloseSessionResp(status=self._unknown("Session does not exist!"))
        self._end_session(request.sessionHandle.sessionId.guid)
        return ttypes.TCloseSessionResp(status=self.OK)

    def _GetInfo(self, request: Any) -> Any:
        text = "Spark SQL" if request.infoType == ttypes.TGetInfoType.CLI_DBMS_NAME else "3.5.9"
        return ttypes.TGetInfoResp(status=self.OK, infoValue=ttypes.TGetInfoValue(stringValue=text))


# -------------------------------------------------------------------------------------------------
# The server
# -------------------------------------------------------------------------------------------------

class Mock(served.Served):
    def __init__(self) -> None:
        self.engines: dict[str, Engine] = {}
        super().__init__(Exchange)

    def engine(self, name: str) -> Engine:
        return self.engines.setdefault(name, Engine(self, name))
