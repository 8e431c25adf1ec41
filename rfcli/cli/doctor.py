"""`rf doctor`: what this machine has, and what each missing thing costs."""

from rfcli.cli.console import Console
from rfcli.cli.options import Json, Quiet, Verbose

WIDTH = 18  # of the names


def doctor(json: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Show versions, devices, libraries, caches and disk, and what each missing thing costs.

    Paste it into a bug report: it names no person and no machine.
    """
    with Console("doctor", json=json, quiet=quiet, verbose=verbose) as console:
        from rfcli.diagnosis import diagnose

        findings = []
        for finding in diagnose():
            findings.append(finding)
            console.say(f"{finding.name:{WIDTH}} {finding.found}")
            if finding.missing:
                console.say(f"{'':{WIDTH}} costs: {finding.cost}")
        missing = [finding.name for finding in findings if finding.missing]
        console.say(f"Missing: {', '.join(missing)}." if missing else "Nothing is missing.")
        console.receipt("cpu", [], findings=findings, missing=missing)
