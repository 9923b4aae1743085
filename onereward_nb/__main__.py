"""Commands: `python -m onereward_nb doctor` and `python -m onereward_nb notebooks`."""

import argparse
import sys


def main(arguments=None):
    """Run one command; returns the exit status, 0 for success."""
    parser = argparse.ArgumentParser(prog="python -m onereward_nb", description="OneReward, hands on.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="what this machine is, which models run on it, what is missing")
    notebooks = commands.add_parser("notebooks", help="run the notebooks and store their outputs")
    notebooks.add_argument("paths", nargs="*", help="notebooks or folders (default: all of them)")
    instead = notebooks.add_mutually_exclusive_group()
    instead.add_argument("--check", action="store_true", help="run nothing: check what is stored")
    instead.add_argument(
        "--publish",
        metavar="OWNER/NAME",
        help='run nothing: make all notebooks open in Colab from this repository at GitHub ("": from none)',
    )
    options = parser.parse_args(arguments)
    if options.command == "doctor":
        from .doctor import report

        return report()
    try:
        return _notebooks(parser, options)
    except FileNotFoundError as error:
        parser.error(error)


def _notebooks(parser, options):
    if options.publish is not None:
        if options.paths:
            parser.error(f"--publish is for all notebooks: leave out {' '.join(options.paths)}")
        return _publish(options.publish)
    return _check(options.paths) if options.check else _store(options.paths)


def _store(paths):
    from .notebooks import NOTEBOOK_SECONDS, NotebookFailed, find, store

    for path in find(paths):
        print(f"{path.name} ... ", end="", flush=True)
        try:
            seconds = store(path)
        except NotebookFailed as failure:
            print(f"failed, left as it was\n\n{failure}")
            return 1
        slow = f", more than {NOTEBOOK_SECONDS}: make it do less" if seconds > NOTEBOOK_SECONDS else ""
        print(f"{seconds:.0f} s, {path.stat().st_size / 1000:.0f} KB{slow}")
    return _check(paths)


def _check(paths):
    from .notebooks import check, find

    found = find(paths)
    problems = check(found)
    for problem in problems:
        print(problem)
    print(f"{len(found)} notebooks checked, {len(problems) or 'no'} problems")
    return 1 if problems else 0


def _publish(repository):
    from .notebooks import find
    from .publishing import publish, tag

    try:
        publish(repository, find())
    except ValueError as error:
        print(f"{error} Nothing was changed.")
        return 1
    if repository:
        print(
            f"The notebooks open in Colab from {repository} as soon as this is committed and can be got there:"
        )
        print(f"git tag {tag()} && git push origin HEAD {tag()}")
    return _check([])


if __name__ == "__main__":
    sys.exit(main())
