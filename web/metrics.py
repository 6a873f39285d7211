"""`/metrics` for Prometheus: requests as they happen, and the state of the house when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from complaints.domain.vocabulary import Status
from web.pulse import Pulse

router = APIRouter(tags=["health"])
_BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class House(Collector):
    """Gauges read from the database, at most every ten seconds."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All gauges; only `complaints_up` 0 when the database is away."""
        try:
            figures = self._pulse.figures()
        except SQLAlchemyError:
            yield GaugeMetricFamily("complaints_up", "1 when the database answers.", 0)
            return
        yield GaugeMetricFamily("complaints_up", "1 when the database answers.", 1)
        cases = GaugeMetricFamily("complaints_by_status", "Complaints in each status.", labels=["status"])
        for status in Status:
            cases.add_metric([status], figures.complaints.get(status, 0))
        yield cases
        intents = GaugeMetricFamily("complaints_outbox", "Intents not yet done, by state.", labels=["state"])
        for state in ("pending", "dead"):
            intents.add_metric([state], figures.outbox.get(state, 0))
        yield intents
        ages = GaugeMetricFamily(
            "complaints_mark_age_seconds", "Since something regular last happened.", labels=["mark"]
        )
        for mark, seconds in figures.marks.items():
            ages.add_metric([mark], seconds)
        yield ages
        yield GaugeMetricFamily("complaints_unlaunched", "Complaints without a flow run yet.", figures.unlaunched)
        for name, what, age in (
            (
                "complaints_oldest_unlaunched_seconds",
                "Age of the oldest complaint without a flow run.",
                figures.oldest_unlaunched,
            ),
            (
                "complaints_outbox_oldest_seconds",
                "How long the oldest pending intent has been due.",
                figures.oldest_pending,
            ),
        ):
            yield GaugeMetricFamily(name, what, age or 0.0)


class Metrics:
    """The metrics of one web process."""

    def __init__(self, pulse: Pulse) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(House(pulse))
        self._requests = Counter(
            "http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "http_request_seconds", "Time to answer.", ["method", "route"], buckets=_BUCKETS, registry=self.registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request. Unknown paths and methods share one label: a scanner must not grow the memory."""
        known = method if method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS") else "other"
        self._requests.labels(known, route or "unknown", str(status)).inc()
        self._seconds.labels(known, route or "unknown").observe(seconds)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response, include_in_schema=False)
def metrics(request: Request) -> Response:
    """Prometheus text format."""
    registry: CollectorRegistry = request.app.state.metrics.registry
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
