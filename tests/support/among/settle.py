"""What must be true in the end: nobody else acts, EC2 is well, and every team runs its request again."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from amicopy.sandbox.records import Image
from tests.support.among.promises import BrokenPromise
from tests.support.among.steps import DESTINATIONS, Start
from tests.support.among.teams import Run, asked_shares, asked_tags, explained
from tests.support.torture import HOME, destination_of, lacks, orphans

if TYPE_CHECKING:
    from tests.support.among.play import Play

_UNLIKE = {"--no-tags", "--name", "--no-permissions", "--share"}
_REFUSALS = {0, 1, 3, 4}
_ADVICE = re.compile(r"To remove them, in a minute: amicopy cancel --copy (ami-\w+) --in (\S+) --available")


class Settled:
    """The last part of a sequence."""

    def __init__(self, play: "Play") -> None:
        self._play = play
        self._world = play.world

    def check(self) -> None:
        """Check the whole promise."""
        self._calm_down()
        for start in self._requests():
            first = self._again(start)
            if first.code == 0 or first.code in {3, 4}:
                self._check_copies(first)
            if self._written_by_another(start) and (written := self._written_by_another(start)):
                raise BrokenPromise(f"{start}: a third run writes {written}")
        self._follow_advice()
        self._check_nothing_is_left()

    def _follow_advice(self) -> None:
        """Run what commands advised that were interrupted while they looked for late snapshots."""
        for run in tuple(self._play.runs):
            for copy_id, region in _ADVICE.findall(run.err):
                advice = Start(
                    team=run.start.team,
                    command="cancel",
                    sources=run.start.sources,
                    regions=(region,),
                    options=("--copy", "--available"),
                )
                self._play.run_alone(advice, (copy_id,))

    def _calm_down(self) -> None:
        world = self._world
        world.clear_faults()
        for image in world.images():
            image.flap_describes = 0
        self._play.clock.advance(4 * 3600)

    def _requests(self) -> list[Start]:
        """Return each different request for copies, the last ones last."""
        starts = [run.start for run in self._play.runs if run.start.command in {"copy", "sync"}]
        return list(dict.fromkeys(replace(one, options=(), skew_seconds=0) for one in starts))

    def _again(self, start: Start) -> Run:
        run = self._play.run_alone(start)
        if run.code not in _REFUSALS:
            raise BrokenPromise(f"all is well, and {start} ends with {run.code}\n{run.err}\n{run.out}")
        if run.code and not explained(run):
            raise BrokenPromise(f"{start} ends with {run.code}, and gives no reason\n{run.err}\n{run.out}")
        return run

    def _written_by_another(self, start: Start) -> list[str]:
        before, images = len(self._world.seen), len(self._world.makers)
        self._again(start)
        written = [one for one in self._world.seen[before:] if one.went_well]
        if len(self._world.makers) == images:  # a token that hands back an image that is there has changed nothing
            written = [one for one in written if one.operation != "CopyImage"]
        return [f"{one.operation} {one.params}" for one in written]

    def _check_copies(self, run: Run) -> None:
        for row in run.document["copies"]:
            if row.get("state") in {"done", "unchanged"}:
                self._check_copy(run, row)

    def _check_copy(self, run: Run, row: Any) -> None:
        source = run.sources[row["source_id"]]
        copy = self._world.state.images[row["region"]].get(row["image_id"])
        where = f"{row['region']} is {row['state']} by {run.start}\n{run.err}\n{run.out}"
        if copy is None or copy.state != "available":
            raise BrokenPromise(f"its copy is {copy.state if copy else 'not there'}: {where}")
        request = run.start.request
        if not _UNLIKE & set(request) and not self._is_foreign(source):
            tags = {key: value for key, value in source.tags.items() if not key.startswith("aws:")}
            asked = asked_tags(request)
            touched = copy.image_id in self._play.people.touched
            missing = lacks(self._world, replace(source, tags=tags), copy, asked, may_lack_ours=touched)
            if missing:
                raise BrokenPromise(f"missing {missing}: {where}")
        shares = asked_shares(request)
        wider = copy.launch_permissions - (source.launch_permissions if shares is None else shares)
        is_said = row["wider"] or any(str(who) in note for note in row["notes"] for who in wider)
        if wider and not is_said and not self._is_foreign(source):
            raise BrokenPromise(f"wider than asked, {wider}, and not said: {where}")

    def _is_foreign(self, source: Image) -> bool:
        return source is self._play.sources["foreign"]

    def _check_nothing_is_left(self) -> None:
        play = self._play
        for region in (*DESTINATIONS, HOME):
            vanished = self._world.made_by_us(region) - {
                *self._world.state.images[region],
                *self._world.state.deregistered[region],
            }
            left = [
                one.snapshot_id
                for one in orphans(self._world, region)
                if destination_of(one) in self._world.made_by_us(region) - play.people.removed - vanished
            ]
            if left:
                raise BrokenPromise(f"{region}: orphaned snapshots {left}")
            for source in play.sources.values():
                for encryption in play.promises.encryptions():
                    living = play.promises.living_copies(region, (source.region, source.image_id), encryption)
                    if len(living) > 1:
                        raise BrokenPromise(f"{region}: {source.name} has {[one.image_id for one in living]}")
