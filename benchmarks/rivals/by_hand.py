"""What a user would write instead, in an afternoon, from the tutorials of its parts.

FastAPI, SQLAlchemy, SQLite: one row and one commit a request, the stream's fields picked by hand.
The database's file, and whether it uses WAL, come from the environment.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from sqlalchemy import DateTime, Integer, String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(f"sqlite:///{os.environ['BENCH_DATABASE']}")

if os.environ.get("BENCH_WAL"):

    @event.listens_for(engine, "connect")
    def use_wal(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")


class Base(DeclarativeBase):
    pass


class StreamEvent(Base):
    __tablename__ = "stream_events"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    call_sid: Mapped[str | None] = mapped_column(String, index=True)
    from_number: Mapped[str | None] = mapped_column(String)
    to_number: Mapped[str | None] = mapped_column(String)
    stream_sid: Mapped[str | None] = mapped_column(String, index=True)
    status: Mapped[str | None] = mapped_column(String)
    duration: Mapped[int | None] = mapped_column(Integer)
    stream_url: Mapped[str | None] = mapped_column(String)
    recording_url: Mapped[str | None] = mapped_column(String)
    disconnected_by: Mapped[str | None] = mapped_column(String)
    detailed_status: Mapped[str | None] = mapped_column(String)
    error: Mapped[str | None] = mapped_column(String)
    raw: Mapped[str] = mapped_column(String)


Base.metadata.create_all(engine)
app = FastAPI()


async def get_session() -> Any:
    with Session(engine) as session:
        yield session


@app.get("/passthru")
async def passthru(request: Request, session: Annotated[Session, Depends(get_session)]) -> Response:
    query = request.query_params
    status = query.get("Stream[Status]")
    duration = query.get("Stream[Duration]")
    session.add(
        StreamEvent(
            received_at=datetime.now(UTC),
            call_sid=query.get("CallSid"),
            from_number=query.get("CallFrom"),
            to_number=query.get("CallTo"),
            stream_sid=query.get("Stream[StreamSID]"),
            status=status,
            duration=int(duration) if duration else None,
            stream_url=query.get("Stream[StreamUrl]"),
            recording_url=query.get("Stream[RecordingUrl]"),
            disconnected_by=query.get("Stream[DisconnectedBy]"),
            detailed_status=query.get("Stream[DetailedStatus]"),
            error=query.get("Stream[Error]"),
            raw=str(request.url.query),
        )
    )
    session.commit()
    return Response(status_code=200 if status == "completed" else 302)
