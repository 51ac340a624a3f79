import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import pytest

from vae.datasets import check
from vae.datasets._trees import content_digest, open_tree
from vae.errors import DataError


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        (["b.png", "a.JPG", "c.txt"], ["a.JPG", "b.png"]),
        (["top/in/a.png", "top/in/b.png"], ["a.png", "b.png"]),
        (["top/x/a.png", "top/y/b.png"], ["x/a.png", "y/b.png"]),
        (["top/a.png", "top/x/b.png"], ["a.png", "x/b.png"]),
        (["top/train/a.png", "top/test/b.png"], ["test/b.png", "train/a.png"]),
        (["top/train/x/a.png", "top/train/x/b.png"], ["train/x/a.png", "train/x/b.png"]),
        (["a.png", ".hidden.png", ".git/b.png", "__MACOSX/._a.png"], ["a.png"]),
        (["weird ü [1]/a b.png", "-rf/%s.png"], ["-rf/%s.png", "weird ü [1]/a b.png"]),
    ],
)
def test_a_folder_and_a_zip_file_list_the_same(
    given: list[str], listed: list[str], tmp_path: Path, write: Callable[..., Any], pack: Callable[..., Any]
) -> None:
    files = {name: name.encode() for name in given}
    trees = open_tree(write(tmp_path / "folder", files)), open_tree(pack(tmp_path / "x.zip", files))
    for tree in trees:
        assert list(tree.names) == listed
        with tree.reader() as read:
            assert all(read(name).decode().endswith(name) for name in listed)
    assert content_digest(trees[0]) == content_digest(trees[1])


def test_the_digest_follows_names_contents_and_lists(tmp_path: Path, write: Callable[..., Any]) -> None:
    def digest(**files: bytes) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return content_digest(open_tree(write(folder, {f"{name}.png": content for name, content in files.items()})))

    same = digest(a=b"1", b=b"2")
    assert digest(b=b"2", a=b"1") == same
    others = {same, digest(a=b"1", c=b"2"), digest(a=b"2", b=b"1"), digest(a=b"1"), digest(a=b"1", b=b"2", c=b"")}
    assert len(others) == 5
    tree = open_tree(write(tmp_path / "again", {"a.png": b"1", "b.png": b"2"}))
    assert content_digest(tree) == same != content_digest(tree, [b"x"])


def test_unchanged_files_are_not_hashed_again(
    tmp_path: Path,
    write: Callable[..., Any],
    pack: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    at_once: None,
) -> None:
    files = {"a.png": b"1", "b.png": b"2"}
    folder = write(tmp_path / "folder", files)
    packed = pack(tmp_path / "x.zip", files)
    trees = open_tree(folder), open_tree(packed)
    first = [content_digest(tree) for tree in trees]

    def refuse(*_: object) -> Never:
        raise AssertionError("read again")

    monkeypatch.setattr("vae.datasets._trees._Folder._read", refuse)
    monkeypatch.setattr("vae.datasets._trees._read_member", refuse)
    assert [content_digest(tree) for tree in trees] == first


def test_links_that_leave_the_folder_are_refused(tmp_path: Path, write: Callable[..., Any]) -> None:
    write(tmp_path / "elsewhere", {"secret.png": b"1"})
    folder = write(tmp_path / "folder", {"a.png": b"1"})
    (folder / "inside.png").symlink_to(folder / "a.png")
    (folder / ".hidden").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(folder)
    assert open_tree(tmp_path / "link").names == ("a.png", "inside.png")
    for target in ("secret.png", ""):
        link = folder / "b.png"
        link.symlink_to(tmp_path / "elsewhere" / target)
        with pytest.raises(DataError, match=r"b\.png is a link to .*elsewhere"):
            open_tree(folder)
        link.unlink()


def test_a_link_in_a_circle_ends_and_is_told(tmp_path: Path, write: Callable[..., Any]) -> None:
    folder = write(tmp_path / "folder", {"x/a.png": b"1"})
    (folder / "x" / "again").symlink_to(folder)
    (folder / "dogs").symlink_to(folder / "nowhere")
    tree = open_tree(folder)
    assert tree.names == ("a.png",)
    (notice,) = tree.notices
    assert notice.startswith("2 links passed over, such as dogs: links to folders, or to what is not there")


def test_images_that_are_links_to_nothing_are_refused(tmp_path: Path, write: Callable[..., Any]) -> None:
    folder = write(tmp_path / "folder", {f".git/annex/{i}.png": b"1" for i in range(4)})
    for i in range(6):
        (folder / f"{i}.png").symlink_to(f".git/annex/{i}.png")
    with pytest.raises(DataError, match=r"2 of 6 images are links to files that are not there, such as 4\.png: fetch"):
        open_tree(folder)
    for i in range(4):
        (folder / f".git/annex/{i}.png").unlink()
    with pytest.raises(DataError, match="6 of 6 images are links"):
        open_tree(folder)
    write(folder, {f".git/annex/{i}.png": b"1" for i in range(6)})
    assert len(open_tree(folder).names) == 6


@pytest.mark.parametrize("folder", ["@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "a/@eaDir/1.png", ".@__thumb"])
def test_what_systems_leave_among_images_is_none(
    folder: str, tmp_path: Path, write: Callable[..., Any], pack: Callable[..., Any]
) -> None:
    files = {"a/1.png": b"1", "b/2.png": b"2", f"{folder}/SYNOPHOTO_THUMB_S.png": b"3"}
    for tree in (open_tree(write(tmp_path / "folder", files)), open_tree(pack(tmp_path / "x.zip", files))):
        assert tree.names == ("a/1.png", "b/2.png")


def test_formats_that_are_not_read_are_counted_kind_by_kind(
    tmp_path: Path, write: Callable[..., Any], pack: Callable[..., Any]
) -> None:
    files = {f"dogs/{i}.HEIC": b"" for i in range(6)} | {
        "a.png": b"",
        "b.avif": b"",
        "labels/a.txt": b"",
        ".c.jp2": b"",
    }
    for tree in (open_tree(write(tmp_path / "folder", files)), open_tree(pack(tmp_path / "x.zip", files))):
        assert tree.names == ("a.png",)
        assert [notice.partition(":")[0] for notice in tree.notices] == [
            "1 .avif file passed over, such as b.avif",
            "6 .heic files passed over, such as dogs/0.HEIC",
        ]
    with pytest.raises(DataError, match=r"holds no image: .*; 6 \.heic files passed over"):
        open_tree(tmp_path / "folder" / "dogs")


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "C:/a.png", "..\\a.png"])
def test_members_that_point_outside_are_refused(name: str, tmp_path: Path, pack: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"points outside the zip file"):
        open_tree(pack(tmp_path / "x.zip", {"b.png": b"", name: b""}))


def test_a_member_there_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.png", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", b"2")
    with pytest.raises(DataError, match=r"'a\.png' is there twice"):
        open_tree(tmp_path / "x.zip")


def windows(path: Path, files: dict[str, bytes]) -> Path:
    """Pack as PowerShell once did: a backslash between folders, and Windows as the system that wrote it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo("x")
            member.filename, member.create_system = name, 0
            archive.writestr(member, content)
    return path


def test_a_backslash_of_windows_parts_folders(tmp_path: Path, pack: Callable[..., Any]) -> None:
    files = {"cats/1.png": b"1", "dogs/small/2.png": b"2"}
    same = content_digest(open_tree(pack(tmp_path / "slashes.zip", files)))
    tree = open_tree(windows(tmp_path / "x.zip", {"dogs\\": b""} | {n.replace("/", "\\"): c for n, c in files.items()}))
    assert tree.names == tuple(files)
    assert content_digest(tree) == same


@pytest.mark.parametrize("name", ["..\\a.png", "x\\..\\..\\a.png", "C:\\a.png", "\\a.png", "\\\\host\\a.png"])
def test_a_backslash_leads_no_further_than_a_slash(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="points outside the zip file"):
        open_tree(windows(tmp_path / "x.zip", {"b.png": b"", name: b""}))


def test_a_backslash_of_unix_is_not_guessed_at(tmp_path: Path, pack: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"member 'a\\b\.png' has a backslash in its name.*Rename it"):
        open_tree(pack(tmp_path / "x.zip", {"a\\b.png": b""}))


def test_a_member_without_a_name_is_no_image(tmp_path: Path) -> None:
    assert open_tree(windows(tmp_path / "x.zip", {"a.png": b"1", "": b"2"})).names == ("a.png",)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_a_member_is_named_however_it_was_packed(method: int, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.png", bytes(range(256)) * 20)
    content = bytearray(path.read_bytes())
    content[60:100] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.zip: a\.png: cannot be unpacked: \w+"):
        content_digest(open_tree(path))


def test_a_damaged_member_is_named(tmp_path: Path, pack: Callable[..., Any]) -> None:
    path = pack(tmp_path / "x.zip", {"a.png": b"content of a", "b.png": b"content of b"})
    path.write_bytes(path.read_bytes().replace(b"content of b", b"c0ntent of b"))
    with pytest.raises(DataError, match=r"x\.zip: b\.png: cannot be unpacked: Bad CRC"):
        content_digest(open_tree(path))


def test_all_damaged_members_are_counted_at_once(tmp_path: Path, pack: Callable[..., Any]) -> None:
    path = pack(tmp_path / "x.zip", {f"{i}.png": f"content of {i}".encode() for i in range(9)})
    content = path.read_bytes()
    for i in range(7):
        content = content.replace(f"content of {i}".encode(), f"c0ntent of {i}".encode())
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.zip: 7 of 9 image files cannot be used:\n  0\.png: .*CRC") as caught:
        content_digest(open_tree(path))
    assert "and 2 more; vaebench data check lists all" in str(caught.value)
    with pytest.raises(DataError, match="9 of 9 image files cannot be used") as caught:  # the others are no images
        check("image_folder", str(path))
    assert str(caught.value).count("Bad CRC") == 7
    assert str(caught.value).count("no readable image") == 2


def test_an_encrypted_member_is_named(tmp_path: Path, pack: Callable[..., Any]) -> None:
    path = pack(tmp_path / "x.zip", {"a.png": b"a"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png: is encrypted"):
        content_digest(open_tree(path))


def test_a_file_too_large_is_not_read(
    tmp_path: Path, write: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vae.datasets._trees._LARGEST_FILE", 9)
    folder = write(tmp_path / "folder", {"a.png": b"x" * 10})
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"x" * 10)
    for path in (folder, tmp_path / "x.zip"):
        with pytest.raises(DataError, match=r"a\.png: .*more than the 9"):
            content_digest(open_tree(path))


def test_what_is_no_source_of_images_is_named(
    tmp_path: Path, write: Callable[..., Any], pack: Callable[..., Any]
) -> None:
    with pytest.raises(DataError, match="no such folder or zip file"):
        open_tree(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"a\.png is a file, but no zip file"):
        open_tree(write(tmp_path, {"a.png": b"x"}) / "a.png")
    for path in (write(tmp_path / "folder", {"a.txt": b"x"}), pack(tmp_path / "x.zip", {"a.txt": b"x"})):
        with pytest.raises(DataError, match=r"holds no image: looked for files ending in \.apng .*\.webp"):
            open_tree(path)


def test_what_cannot_be_read_is_named(tmp_path: Path, write: Callable[..., Any]) -> None:
    folder = write(tmp_path / "folder", {"a.png": b"1"})
    tree = open_tree(folder)
    (folder / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png: cannot be read: No such file"):
        content_digest(tree)
    with tree.reader() as read, pytest.raises(DataError, match="cannot be read: No such file"):
        read("a.png")


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="cannot be listed: Permission denied"):
        open_tree(tmp_path)


def test_a_damaged_zip_file_is_named(tmp_path: Path, pack: Callable[..., Any]) -> None:
    path = pack(tmp_path / "x.zip", {"a.png": b"1", "b.png": b"2"})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"PK\x01\x02", b"PK\x09\x09"))
    with pytest.raises(DataError, match=r"x\.zip is no readable zip file"):
        open_tree(path)
