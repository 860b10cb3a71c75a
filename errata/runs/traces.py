"""Where spans go: a file of JSON lines, or an OpenTelemetry collector over HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errata.config.files import open_own
from errata.errors import UsageError
from errata.llm.tracing import Tracing, tracing_to

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

PATH = "/v1/traces"
"""Where a collector takes spans, under its address."""


@contextmanager
def traced(target: Any, *, texts: bool = False) -> Iterator[None]:
    """Traces what runs inside.

    Args:
        target: a file, the address of a collector (`http://localhost:4318`; headers by OTEL_EXPORTER_OTLP_HEADERS), or
            a TracerProvider of one's own, which is left open.
        texts: also messages and replies; else models, settings, tokens and prices alone.

    Raises UsageError without the extra `otel`, and for a file that cannot be written.
    """
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UsageError(
            "a trace is asked for and opentelemetry-sdk is missing",
            "spans are made by OpenTelemetry's own library",
            "pip install 'errata[otel]'",
        ) from error
    if isinstance(target, TracerProvider):
        with tracing_to(Tracing(target.get_tracer("errata"), texts)):
            yield
        return
    provider = TracerProvider(resource=Resource.create({"service.name": "errata"}))
    try:
        provider.add_span_processor(BatchSpanProcessor(_exporter(str(target))))
        with tracing_to(Tracing(provider.get_tracer("errata"), texts)):
            yield
    finally:
        provider.shutdown()  # writes what is left


def is_address(target: str) -> bool:
    return target.startswith(("http://", "https://"))


def where_traces_go(target: str, *, texts: bool) -> str:
    """What leaves this machine by a trace, in a line."""
    what = "messages, replies, models, settings, tokens and prices" if texts else "models, settings, tokens and prices"
    return f"traces: {what} go to {target}"


def _exporter(target: str) -> Any:
    if is_address(target):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=target if target.rstrip("/").endswith(PATH) else target.rstrip("/") + PATH)
    return _file_exporter(Path(target))


def _file_exporter(path: Path) -> Any:
    """One line of JSON per span; lines are added to a file that is there."""
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    try:
        descriptor = open_own(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "a trace goes there", "name a file") from error
    out = os.fdopen(descriptor, "w", encoding="utf-8")

    class Lines(ConsoleSpanExporter):
        """Closes its file at the end, as the console's does not."""

        def shutdown(self) -> None:
            out.close()

    return Lines(out=out, formatter=_line)


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"
