"""`maskedskipunet users add|list|remove [NAME]`: who may log in at the page that `serve` opens."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path
from typing import Literal

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.serve import require_page_libraries
from maskedskipunet.cli.values import UsageError

DONE = 0


def run(arguments: Sequence[str]) -> int:
    parser = Parser("users", "add|list|remove", "Add, list or remove those who may log in at the page of `serve`.")
    parser.add(
        "action",
        type=Literal["add", "list", "remove"],
        metavar="add|list|remove",
        required=True,
        help="Add a user, list all users, or remove one.",
    )
    parser.add("name", type=str, metavar="NAME", help="With add and remove: use this name.")
    parser.add(
        "--role",
        type=Literal["viewer", "editor"],
        default="viewer",
        help="With add: a viewer looks, an editor answers alarms too.",
    )
    parser.add(
        "--records", type=Path, default=Path("records"), metavar="FOLDER", help="Use the users of this records folder."
    )
    parser.add_json()
    options = parser.parse(arguments)
    if (options.name is None) != (options.action == "list"):
        fault = "NAME must be given" if options.name is None else "NAME belongs to `users add` and `users remove`"
        raise UsageError(fault, f"users {options.action}", "See `maskedskipunet users --help`")
    return {"add": _add, "list": _list, "remove": _remove}[options.action](options)


def _add(options: Options) -> int:
    require_page_libraries()
    from maskedskipunet.records.store import Records
    from maskedskipunet.records.users import add_user
    from maskedskipunet.web.passwords import hash_password

    with Records.open(options.records, create=False) as records:
        user = add_user(records, options.name, hash_password(_password(options.name)), options.role)
    console.write_figures(options.json, {"added": user.name, "role": user.role})
    console.say(f"{user.name} may log in as {user.role}")
    return DONE


def _list(options: Options) -> int:
    from maskedskipunet.records.store import Records
    from maskedskipunet.records.users import list_users

    with Records.open(options.records, create=False) as records:
        users = list_users(records)
    figures = [{"name": user.name, "role": user.role, "created_at": _day(user.created_unix_s)} for user in users]
    console.write_figures(options.json, {"users": figures})
    if users:
        rows = [(user.name, user.role, _day(user.created_unix_s)) for user in users]
        console.print_table("Users", ("name", "role", "since"), rows, left=3)
    else:
        console.say("no users: on this machine alone, the page opens without a login")
    return DONE


def _remove(options: Options) -> int:
    from maskedskipunet.records.store import Records
    from maskedskipunet.records.users import remove_user

    with Records.open(options.records, create=False) as records:
        remove_user(records, options.name)
    console.write_figures(options.json, {"removed": options.name})
    console.say(f"{options.name} can no longer log in")
    return DONE


def _password(name: str) -> str:
    """Return a password that is typed twice, or the first line of standard input where that is no terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass(f"Password of {name}: ")
    if getpass("Again: ") != password:
        raise UsageError("the two passwords differ", "users add", "Type the same one twice")
    return password


def _day(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()
