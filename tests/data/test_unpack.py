"""Packed files: what they may hold and how large they may become."""

import gzip
import os
import zipfile

import pytest

from shared.core.errors import UserError
from shared.data import unpack
from shared.data.unpack import read_packed

TEXT = b"a,b\n" + b"1.5,2.5\n" * 50


def write_zip(path, method=zipfile.ZIP_DEFLATED, **members):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in (members or {"table": TEXT}).items():
            archive.writestr(f"{name}.csv", content)
    return path


def refuse(path):
    with pytest.raises(UserError) as caught:
        read_packed(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot be read (")
    assert "\n" not in message
    return message


def test_plain_and_packed_files_have_the_same_content(tmp_path):
    plain, packed = tmp_path / "table.csv", tmp_path / "table.csv.gz"
    plain.write_bytes(TEXT)
    packed.write_bytes(gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]))
    for path in (plain, packed, write_zip(tmp_path / "table.csv.zip")):
        assert read_packed(path) == TEXT
    stored = write_zip(tmp_path / "stored.csv.zip", zipfile.ZIP_STORED)
    assert read_packed(stored) == TEXT


@pytest.mark.parametrize("suffix", ["gz", "zip"])
def test_a_small_file_cannot_fill_the_memory(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"bomb.csv.{suffix}"
    content = bytes(32 << 20)  # packs to 0.03 MB
    if suffix == "gz":
        path.write_bytes(gzip.compress(content, 1))
    else:
        write_zip(path, bomb=content)
    del content
    chunks = []
    read = unpack._read_at_most

    def count(stream, limit):
        class Counted:
            def read(self, size):
                chunks.append(size)
                return stream.read(size)

        return read(Counted(), limit)

    monkeypatch.setattr(unpack, "_read_at_most", count)
    assert "unpacks to more than" in refuse(path)
    assert sum(chunks) <= max(unpack.FREE_BYTES, 30 * path.stat().st_size) + (2 << 20)


def test_a_file_may_unpack_to_thirty_times_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "FREE_BYTES", 100)
    path = tmp_path / "table.csv.gz"
    random = os.urandom(1000)
    path.write_bytes(gzip.compress(random * 29))
    assert read_packed(path) == random * 29
    path.write_bytes(gzip.compress(random * 200))
    refuse(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_methods_of_a_zip_are_named(tmp_path, method):
    path = write_zip(tmp_path / "table.csv.zip", method)
    assert "'deflate'" in refuse(path)
    damaged = bytearray(path.read_bytes())
    damaged[45:60] = bytes(15)
    path.write_bytes(damaged)
    refuse(path)


def test_a_zip_with_a_password_is_refused(tmp_path):
    path = write_zip(tmp_path / "table.csv.zip")
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[6] |= 1
    content[entry + 8] |= 1
    path.write_bytes(content)
    assert "password" in refuse(path)


def test_a_zip_that_states_a_false_size_is_refused(tmp_path):
    path = write_zip(tmp_path / "table.csv.zip")
    content = bytearray(path.read_bytes())
    for place in (22, content.index(b"PK\x01\x02") + 24):
        content[place : place + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    assert "CRC" in refuse(path)


def test_the_right_file_of_an_archive_is_read_or_none(tmp_path):
    path = tmp_path / "table.csv.zip"
    write_zip(path, other=b"x", table=TEXT)
    assert read_packed(path) == TEXT
    write_zip(path, other=b"x", another=b"y")
    assert "2 .csv files" in refuse(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("table.txt", TEXT)
    assert "no .csv file" in refuse(path)


def test_every_damage_is_one_line(tmp_path):
    for path in (tmp_path / "table.csv.gz", write_zip(tmp_path / "table.csv.zip")):
        whole = path.read_bytes() if path.exists() else gzip.compress(TEXT)
        for k in range(len(whole)):
            path.write_bytes(whole[:k] + bytes([whole[k] ^ 0x55]) + whole[k + 1 :])
            try:
                assert read_packed(path) == TEXT
            except UserError as error:
                assert "\n" not in str(error)
        for k in range(1, len(whole)):
            path.write_bytes(whole[:k])
            refuse(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name in ("pipe.csv", "folder.csv", "none.csv"):
        assert "not a regular file" in refuse(tmp_path / name)
