"""`python -m errata ...`"""


def main() -> None:
    from errata.cli import cli

    cli(prog_name="errata")


if __name__ == "__main__":
    main()
