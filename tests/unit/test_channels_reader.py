"""Files of complaints: every row is taken or reported with its line and column, and none takes others with it."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels import mapping
from channels.reader import BadRow, Reader, Row
from complaints.domain.errors import InvalidInput
from complaints.domain.vocabulary import Channel, Language

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HEADER = "id,narrative,email,date\n"
SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "cfpb_sample.csv"


def read(path: Path, content: str | bytes, name: str = "generic", encoding: str | None = None) -> list[Row | BadRow]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with Reader(path, mapping.load(name), now=NOW, zone="Asia/Shanghai", encoding=encoding) as reader:
        rows = list(reader)
        assert reader.position == reader.size
        return rows


def brief(rows: list[Row | BadRow]) -> list[tuple[object, ...]]:
    """Good rows as (line, id), bad ones as (line, column, message)."""
    return [(r.line, r.new.external_id) if isinstance(r, Row) else (r.line, r.column, r.message) for r in rows]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_chinese_tables_in_every_usual_encoding(file: Path, encoding: str, delimiter: str) -> None:
    header = ["投诉编号", "投诉内容", "姓名", "投诉时间", "渠道", "门店"]
    cells = ["甲-1", "热水器漏水,要求维修", "王芳", "2026年1月5日", "电话", "朝阳店"]
    text = "\r\n".join(delimiter.join(f'"{c}"' for c in line) for line in (header, cells)) + "\r\n"
    (row,) = read(file, text.encode(encoding))
    assert isinstance(row, Row)
    assert row.new.narrative == "热水器漏水,要求维修"
    assert row.new.complainant.name == "王芳"
    assert row.new.channel is Channel.PHONE
    assert row.new.received_at == datetime(2026, 1, 4, 16, tzinfo=UTC)
    assert (row.new.external_source, row.new.external_id) == ("file", "甲-1")
    assert row.new.extra == {"门店": "朝阳店"}


def test_characters_that_only_gb18030_has(file: Path) -> None:
    (row,) = read(file, "编号,内容\n1,𠀀的投诉:漏水\n".encode("gb18030"))
    assert isinstance(row, Row)
    assert row.new.narrative == "𠀀的投诉:漏水"


def test_quoted_newlines_and_commas(file: Path) -> None:
    rows = read(file, HEADER + '1,"one\ntwo, ""three""\r\nfour",,\n\n2,plain,,\n')
    assert brief(rows) == [(2, "1"), (6, "2")]
    assert isinstance(rows[0], Row)
    assert rows[0].new.narrative == 'one\ntwo, "three"\r\nfour'


def test_a_quotation_mark_that_is_never_closed_costs_one_row(file: Path) -> None:
    rows = read(file, HEADER + '1,ok,,\n2,"open,,\n3,ok,,\n4,"quoted\nlines",,\n5,ok,,\n')
    assert [r[:2] for r in brief(rows)] == [(2, "1"), (3, ""), (4, "3"), (5, "4"), (7, "5")]
    assert isinstance(rows[1], BadRow)
    assert "quotation marks" in rows[1].message


def test_text_after_a_closing_quotation_mark_costs_one_row(file: Path) -> None:
    rows = read(file, HEADER + '1,"said "no" to me",,\n2,ok,,\n')
    assert [r[:2] for r in brief(rows)] == [(2, ""), (3, "2")]


def test_inches_are_no_quotation_marks(file: Path) -> None:
    rows = read(file, HEADER + '1,a 5" pipe,,\n2,ok,,\n3,a 6" pipe,,\n4,a 7" pipe,,\n5,ok,,\n')
    assert brief(rows) == [(n + 1, str(n)) for n in range(1, 6)]


def test_each_bad_row_says_line_and_column(file: Path) -> None:
    bad = (
        "1,ok,,\n"
        "2,,,\n"
        "3,text,not-an-address,\n"
        "4,text,,yesterday\n"
        "5,text,,2027-01-01\n"
        "6,text\n"
        "7,text,,,,more\n"
        "8,text,,,,\n"
        "9,nul\0,,\n"
    )
    rows = read(file, HEADER + bad)
    assert [r[:2] for r in brief(rows)] == [
        (2, "1"), (3, "narrative"), (4, "email"), (5, "date"), (6, "date"), (7, ""), (8, ""), (9, "8"),
        (10, "narrative"),
    ]  # fmt: skip
    messages = [r.message for r in rows if isinstance(r, BadRow)]
    assert "'yesterday' is not a date" in messages[2]
    assert "future" in messages[3]
    assert messages[4:6] == ["2 columns instead of 4", "6 columns instead of 4"]
    assert "NUL" in messages[6]


def test_a_narrative_of_ten_megabytes_is_one_bad_row(file: Path) -> None:
    long = (("word " * 10)[:-1] + "\n") * 200_000
    rows = read(file, f'{HEADER}1,"{long}",,\n2,{"x" * 10_000_000},,\n3,{"y" * 20_000_000},,\n4,ok,,\n')
    found = brief(rows)
    assert [r[:2] for r in found] == [(2, "narrative"), (200_003, "narrative"), (200_004, ""), (200_005, "4")]
    assert "10,000,000 characters" in str(found[0][2])


def test_a_few_wrong_bytes_cost_their_rows_only(file: Path) -> None:
    good = "".join(f"{n},热水器漏水要求维修,,\n" for n in range(20))
    rows = read(file, HEADER.encode() + good.encode() + b"x,broken \xff\xc3,,\n" + b"y,ok,,\n")
    assert len(rows) == 22
    assert [r[:2] for r in brief(rows)][-2:] == [(22, "narrative"), (23, "y")]
    rows = read(file, HEADER.encode() + b"1,caf\xff,,\n2,ok,,\n", encoding="gb18030")
    assert [r[:2] for r in brief(rows)] == [(2, "narrative"), (3, "2")]


def test_wrong_bytes_in_utf_16_cost_their_row_only(file: Path) -> None:
    before, after = (HEADER + "1,漏水,,\n").encode("utf-16"), "\n3,漏水,,\n".encode("utf-16-le")
    half_a_pair = "2,bad".encode("utf-16-le") + b"\x00\xd8" + ",,".encode("utf-16-le")
    assert [r[:2] for r in brief(read(file, before + half_a_pair + after))] == [(2, "1"), (3, "narrative"), (4, "3")]
    cut = brief(read(file, before + "2,漏水,,".encode("utf-16-le")[:-1]))
    assert [r[:2] for r in cut] == [(2, "1"), (3, "")]


@pytest.mark.parametrize("encoding", ["idna", "punycode", "undefined"])
def test_encodings_that_cannot_mark_wrong_bytes_refuse_the_file(file: Path, encoding: str) -> None:
    with pytest.raises(InvalidInput, match=rf"not {encoding}.*Save it as UTF-8"):
        read(file, HEADER.encode() + b"1,text\xff \\N{none} -\xe6\xbc\x8f,,\n" * 2, encoding=encoding)


def test_rubbish_is_refused_or_reported_never_a_crash(file: Path) -> None:
    chance = random.Random(7)
    alphabet = ['"', ",", "\n", "\r", "a", "漏", "\0", "\ufeff", " ", ";", "\t", "{", "}", ":", "1", "null", "[", "]"]
    lines = 0
    for turn in range(600):
        words = (HEADER if turn % 2 else "") + "".join(chance.choices(alphabet, k=chance.randrange(80)))
        content = bytearray(words.encode(chance.choice(["utf-8", "gb18030", "utf-16"])))
        for place in chance.sample(range(len(content)), len(content) // 30):
            content[place] = chance.randrange(256)
        with suppress(InvalidInput):
            lines += len(read(file.with_suffix(chance.choice([".csv", ".jsonl"])), bytes(content)))
    assert lines > 100, "something was read"


@pytest.mark.parametrize(
    ("content", "name", "encoding", "says"),
    [
        ("", "generic", None, "empty"),
        (",,;\n", "generic", None, "empty"),
        ("\n\n", "generic", None, "empty"),
        ("a,b\n1,2\n", "generic", None, "投诉内容.*missing. Found: a, b"),
        ("Complaint ID,x\n", "cfpb", None, "Consumer complaint narrative: this column is missing"),
        ("id,narrative,ID\n", "generic", None, "two columns"),
        ("id,narrative\n", "nothing", None, "Known are: cfpb, generic"),
        ("id,narrative\n", "generic", "klingon", "no encoding 'klingon'"),
        ("id,narrative\n", "generic", "base64", "no encoding 'base64'"),
        ('id,"narrative\n', "generic", None, "must name the columns"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_said_at_once(
    file: Path, content: str, name: str, encoding: str | None, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        read(file, content, name, encoding)


@pytest.mark.parametrize(
    ("begin", "what"),
    [
        (b"PK\x03\x04\x14\0", "a workbook of Excel or a zip"),
        (b"\xd0\xcf\x11\xe0\xa1", "an old workbook"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"%PDF-1.7\n", "a PDF"),
    ],
)
def test_what_is_no_text_is_refused_by_what_it_is(file: Path, begin: bytes, what: str) -> None:
    with pytest.raises(InvalidInput, match=rf"table\.csv: is {what}.*save the table as CSV"):
        read(file, begin + bytes(range(256)))


def test_a_table_without_rows_is_fine(file: Path) -> None:
    assert read(file, HEADER) == []


def test_rows_without_an_id_are_known_again_by_what_they_say(file: Path) -> None:
    first = brief(read(file, "narrative,store\nleaks,north\nleaks,south\nleaks,north \n"))
    again = brief(read(file, "narrative,store\nleaks,north\n"))
    assert first[0][1] == again[0][1] == first[2][1] != first[1][1]


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": 1, "narrative": "第一行\n第二行", "complainant": {"email": "a@example.com"}, "tags": ["x"]}),
        "",
        "{broken",
        "[1]",
        json.dumps({"id": 2, "text": None}),
        json.dumps({"id": 3}),
        json.dumps({"id": 4, "narrative": "\ud800"}),
        json.dumps({"narrative": "ok", "id": 5}),
    ]
    rows = read(tmp_path / "t.jsonl", "\n".join(lines))
    assert [r[:2] for r in brief(rows)] == [
        (1, "1"), (3, ""), (4, ""), (5, "text"), (6, ""), (7, "narrative"), (8, "5"),
    ]  # fmt: skip
    assert isinstance(rows[0], Row)
    assert rows[0].new.complainant.email == "a@example.com"
    assert rows[0].new.extra == {"tags": '["x"]'}
    with pytest.raises(InvalidInput, match="no JSON object"):
        read(tmp_path / "t.jsonl", "nonsense\n")
    with pytest.raises(InvalidInput, match="missing"):
        read(tmp_path / "t.jsonl", '{"a": 1}\n')


def test_the_consumer_complaint_database(file: Path) -> None:
    text = (
        "Date received,Product,Sub-product,Issue,Sub-issue,Consumer complaint narrative,Company,State,Tags,"
        "Submitted via,Date sent to company,Complaint ID\n"
        '07/01/24,Mortgage,VA mortgage,Struggling to pay,,"They lost my papers.",BANK,NY,Servicemember,Postal mail,'
        "07/02/2024,42\n"
        "07/01/24,Mortgage,,Struggling,Late fees,Fees.,BANK,NY,,,2024/7/2,43\n"
    )
    first, second = read(file, text, "cfpb")
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    new = first.new
    assert (new.external_source, new.external_id, new.jurisdiction) == ("cfpb", "42", "us")
    assert (new.product, new.subject) == ("Mortgage: VA mortgage", "Struggling to pay")
    assert (new.channel, new.language) == (Channel.LETTER, Language.EN)
    assert new.received_at == datetime(2024, 7, 2, 4, tzinfo=UTC)
    assert new.extra == {"Date received": "07/01/24", "Company": "BANK", "State": "NY", "Tags": "Servicemember"}
    assert not new.complainant.name
    assert (second.new.subject, second.new.channel) == ("Struggling: Late fees", Channel.FILE)


def test_a_row_without_the_date_of_sending_has_that_of_receipt(file: Path) -> None:
    header = "Date sent to company,Date received,Consumer complaint narrative,Complaint ID\n"
    rows = read(file, header + ",07/01/24,Fees.,44\n07/02/24,07/01/24,Fees.,45\n,July,Fees.,46\n", "cfpb")
    assert [r.new.received_at for r in rows if isinstance(r, Row)] == [
        datetime(2024, 7, 1, 4, tzinfo=UTC),
        datetime(2024, 7, 2, 4, tzinfo=UTC),
    ]
    assert brief(rows)[2][:2] == (4, "Date received")


def test_each_filled_cell_of_the_consumer_complaint_database_is_checked(file: Path) -> None:
    header = "Date sent to company,Date received,Submitted via,Consumer complaint narrative,Complaint ID\n"
    rows = read(
        file,
        header
        + "07/02/24,31/31/2020,Web,Fees.,1\n"
        + "07/02/24,07/01/24,Pigeon,Fees.,2\n"
        + "07/02/24,07/01/24,Web,Fees.,\n"
        + "07/02/24,07/01/24,Web, ,4\n"
        + "07/02/24,07/01/24,,Fees.,5\n",
        "cfpb",
    )
    assert brief(rows) == [
        (2, "Date received", "'31/31/2020' is not a date. Known are: ISO 8601, %m/%d/%Y, %Y/%m/%d, %m/%d/%y"),
        (
            3,
            "Submitted via",
            "'Pigeon' is not known. Known are: email, fax, phone, postal mail, referral, web, web referral",
        ),
        (4, "Complaint ID", "this cell is empty"),
        (5, "Consumer complaint narrative", "this cell is empty"),
        (6, "5"),
    ]


def test_the_second_column_of_a_field_is_checked_though_the_first_one_wins(file: Path) -> None:
    rows = read(file, "narrative,email,e-mail\nleaks,a@example.com,b@example.com\nleaks,a@example.com,nobody\n")
    assert isinstance(rows[0], Row)
    assert rows[0].new.complainant.email == "a@example.com"
    assert brief(rows)[1] == (3, "e-mail", "is no e-mail address; write it like name@example.com")


@pytest.mark.skipif(
    not SAMPLE.is_file(), reason=f"there is no {SAMPLE.name} in {SAMPLE.parent.name}/ beside the project"
)
def test_the_sample_of_the_consumer_complaint_database_is_taken_whole() -> None:
    with Reader(SAMPLE, mapping.load("cfpb"), now=NOW) as reader:
        rows = list(reader)
    good = [row.new for row in rows if isinstance(row, Row)]
    assert len(good) == len(rows) == 832
    assert len({new.external_id for new in good}) == 832
    assert {new.language for new in good} == {Language.EN}
    assert all(new.narrative and new.product and new.subject and new.received_at for new in good)


def test_an_unknown_value_of_a_coded_column_is_named(file: Path) -> None:
    (row,) = read(file, "narrative,语言\nleaks,klingon\n")
    assert brief([row])[0][:2] == (2, "语言")
    assert "中文" in str(brief([row])[0][2])


def test_memory_does_not_grow_with_the_file(file: Path) -> None:
    def peak(rows: int) -> int:
        file.write_text(HEADER + "".join(f'{n},"the heater\nleaks",,\n' for n in range(rows)))
        with Reader(file, mapping.load("generic"), now=NOW) as reader:
            tracemalloc.start()
            assert sum(isinstance(r, Row) for r in reader) == rows
            used = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return used

    peak(100)
    assert peak(6_000) < peak(600) + 100_000


def test_a_mapping_with_mistakes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for content, says in (
        ("source = ", "not TOML"),
        ('source = "x"\n[fields.nonsense]\ncolumns = ["a"]\n', "unknown: nonsense"),
        ('source = "x"\nzone = "Mars"\n[fields.narrative]\ncolumns = ["a"]\n', "no such time zone"),
        ('source = "Ä"\n[fields.narrative]\ncolumns = ["a"]\n', "source"),
    ):
        path.write_text(content)
        with pytest.raises(InvalidInput, match=says):
            mapping.load(str(path))


def test_a_pipe_a_folder_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for path, why in ((pipe, "is no ordinary file"), (tmp_path, "is no ordinary file"), (tmp_path / "x", "no such")):
        with pytest.raises(InvalidInput, match=why):
            Reader(path, mapping.load("generic"), now=NOW)


def test_a_first_line_that_names_the_delimiter_is_followed(file: Path) -> None:
    rows = read(file, 'sep=;\r\nid;narrative, in words;narrative\r\n1;;"leaks; badly"\r\n2;;\r\n')
    assert brief(rows) == [(3, "1"), (4, "narrative", "this cell is empty")]
    with pytest.raises(InvalidInput, match="The file is empty"):
        read(file, "sep=;\n\n")
