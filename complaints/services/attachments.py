"""Files that belong to a complaint. The bytes lie in the store of blobs; here is what they are and who may read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, func, select

from complaints.domain.errors import InvalidInput, LimitExceeded, NotFound
from complaints.domain.filetype import content_type, safe_name
from complaints.domain.vocabulary import Audience
from complaints.services.access import see
from complaints.services.transition import lock, perform
from complaints.store.blobs import Blobs, Upload
from complaints.store.columns import new_id
from complaints.store.tables import Attachment, Complaint
from complaints.store.unit import Work

#: Most files of one complaint.
MOST = 200


@dataclass(frozen=True)
class NewFile:
    """A file whose bytes are stored already: a safe name, its digest, size in bytes and media type."""

    name: str
    sha256: str
    size: int
    content_type: str


@dataclass(frozen=True)
class Judged:
    """A file that was received and may be taken, under a safe name; nothing of it stays unless it is kept."""

    upload: Upload
    name: str
    content_type: str

    def keep(self) -> NewFile:
        """Make it permanent."""
        blob = self.upload.keep()
        return NewFile(self.name, blob.sha256, blob.size, self.content_type)


def judge(upload: Upload, claimed: str, accepted: tuple[str, ...]) -> Judged:
    """What was received, by its content, under a safe form of the `claimed` name.

    `InvalidInput` when it is empty, `UnsupportedType` when its kind is not among `accepted` or its name belies it.
    """
    if upload.size == 0:
        raise InvalidInput("the file is empty; choose another one", "file")
    name = safe_name(claimed)
    return Judged(upload, name, content_type(upload.head, name, accepted))


def store(blobs: Blobs, pieces: Iterable[bytes], claimed: str, limit: int, accepted: tuple[str, ...]) -> NewFile:
    """Receive, judge and keep; `LimitExceeded` as soon as there are more than `limit` bytes."""
    with blobs.upload(limit) as upload:
        for piece in pieces:
            upload.write(piece)
        return judge(upload, claimed, accepted).keep()


def attach(work: Work, reference: str, file: NewFile, audience: Audience) -> tuple[Attachment, bool]:
    """Add the file to the complaint; the same file under the same name is there once (then False)."""
    return add(work, lock(work, see(work, reference).id), file, audience)


def add(work: Work, complaint: Complaint, file: NewFile, audience: Audience) -> tuple[Attachment, bool]:
    """The same for whoever stands before the complaint already, which must be locked."""
    known = work.session.exec(
        select(Attachment).where(
            Attachment.complaint_id == complaint.id, Attachment.sha256 == file.sha256, Attachment.name == file.name
        )
    ).first()
    if known is not None:
        return known, False
    count = work.session.exec(
        select(func.count()).select_from(Attachment).where(Attachment.complaint_id == complaint.id)
    ).one()
    if count >= MOST:
        raise LimitExceeded(
            f"A complaint can have {MOST} files. Put the rest into one archive elsewhere and note where."
        )
    row = Attachment(
        id=new_id(work.now),
        complaint_id=complaint.id,
        at=work.now,
        name=file.name,
        sha256=file.sha256,
        size=file.size,
        content_type=file.content_type,
        audience=audience,
        uploaded_by=work.actor.name,
    )
    work.session.add(row)
    data = {"id": str(row.id), "name": file.name, "sha256": file.sha256, "size": file.size, "type": file.content_type}
    perform(work, complaint, "add_attachment", data=data, audience=audience)
    return row, True


def of(work: Work, complaint: Complaint, audiences: frozenset[Audience]) -> list[Attachment]:
    """The files that these audiences may read, oldest first."""
    return list(
        work.session.exec(
            select(Attachment)
            .where(Attachment.complaint_id == complaint.id, col(Attachment.audience).in_(audiences))
            .order_by(col(Attachment.at), col(Attachment.id))
        ).all()
    )


def one(work: Work, complaint: Complaint, attachment_id: UUID, audiences: frozenset[Audience]) -> Attachment:
    """The file, if it belongs to the complaint and these audiences may read it."""
    row = work.session.get(Attachment, attachment_id)
    if row is None or row.complaint_id != complaint.id or row.audience not in audiences:
        raise NotFound("attachment", attachment_id)
    return row
