"""What must be true of every single write, whoever else is at work in the account."""

from collections.abc import Mapping
from typing import Any

from amicopy.core.models import SOURCE_TAG
from amicopy.sandbox.records import Image
from tests.support.among.people import BACKUP_TAG, People
from tests.support.among.teams import Run
from tests.support.torture import LIVE, TOKEN, Seen, TortureWorld

# A run reads the source's permissions right before it shares: it must not have slept longer than this since.
FRESH_SECONDS = 60
# EC2's dates, and the Date header that corrects a wrong clock, have whole seconds (docs/explanation/promises.md).
SAME_MOMENT_SECONDS = 2


class BrokenPromise(AssertionError):
    """What must always be true is not."""


class Promises:
    """Checks each write of a run right after it has taken effect."""

    def __init__(self, world: TortureWorld, sources: Mapping[str, Image], people: People) -> None:
        self._world = world
        self._sources = sources
        self._people = people
        self.moment = 0
        self._permitted: dict[str, list[tuple[int, frozenset[str]]]] = {}
        self._made_for: dict[str, tuple[str, str]] = {}  # snapshot → region and id of the image it was made for
        self._encryption: dict[str, str] = {}
        self._known: set[str] = set()
        self._adopted: set[str] = set()
        self.touched_at: dict[str, tuple[str, int]] = {}  # image → who wrote to it last, and when
        for region in tuple(world.state.images):
            self._encryption |= {image.image_id: "None None" for image in self._made(region)}
        self.pass_moment()

    def pass_moment(self) -> None:
        """Note who may use the sources now: called whenever anybody has done anything."""
        self.moment += 1
        for source in self._sources.values():
            self._note(source.image_id, self._launch_permissions(source))
            for snapshot_id in source.snapshot_ids:
                snapshot = self._world.state.snapshots[source.region].get(snapshot_id)
                self._note(snapshot_id, frozenset(snapshot.shared_with) if snapshot else frozenset())

    def _note(self, resource: str, now: frozenset[str]) -> None:
        history = self._permitted.setdefault(resource, [])
        if not history or history[-1][1] != now:
            history.append((self.moment, now))

    def _launch_permissions(self, source: Image) -> frozenset[str]:
        exists = source.image_id in self._world.state.images[source.region]
        return frozenset(source.launch_permissions) if exists else frozenset()

    def permitted_since(self, resource: str, moment: int) -> set[str]:
        """Return who has been allowed to use a source, or its snapshot, at any moment since this one."""
        history = self._permitted[resource]
        before = [who for at, who in history if at <= moment][-1:]
        return set().union(*before, *(who for at, who in history if at > moment))

    def always_permitted_since(self, resource: str, moment: int) -> set[str]:
        """Return who has been allowed to use it all the time since this moment."""
        history = self._permitted[resource]
        before = [who for at, who in history if at <= moment][-1:]
        every = [*before, *(who for at, who in history if at > moment)]
        return set(every[0]).intersection(*every[1:])

    # what a run has done

    def check_read(self, run: Run, operation: str, region: str, params: Mapping[str, Any]) -> None:
        """Remember when a run has read the permissions of a source, and which images were pending at its last look."""
        if operation in {"DescribeImageAttribute", "DescribeSnapshotAttribute"}:
            resource = params.get("ImageId") or params.get("SnapshotId") or ""
            run.read[resource] = (self.moment, run.turn.slept_seconds)
        elif operation == "DescribeImages":
            images = self._world.state.images[region].values()
            run.seen_pending[region] = {image.image_id for image in images if image.state == "pending"}

    def check_write(self, run: Run | None, seen: Seen) -> None:
        """Check one write; those of people are only learned from."""
        made = self._made(seen.region)
        for image in made:
            params = self._request_of(image).params
            self._encryption[image.image_id] = f"{params.get('Encrypted')} {params.get('KmsKeyId')}"
        for resource in self._resources(seen):
            self.touched_at[self._image_id_of(resource)] = (seen.actor, self.moment)
        if run is None or not seen.went_well:
            return
        if not run.may_write:
            raise BrokenPromise(f"{run.start} only reads, and has made {seen.operation}")
        if seen.operation == "CopyImage":
            self._check_copy(run, seen, made)
            return
        for resource in self._resources(seen):
            self._check_whose(run, seen, resource)
        match seen.operation:
            case "ModifyImageAttribute" if "LaunchPermission" in seen.params:
                self._check_sharing(run, seen, seen.params["LaunchPermission"])
            case "ModifySnapshotAttribute":
                self._check_sharing(run, seen, seen.params["CreateVolumePermission"])
            case "DeregisterImage":
                self._check_removal(run, seen)

    def _made(self, region: str) -> list[Image]:
        """Return the images that are new in a region, and remember whose snapshots there are."""
        images = self._world.state.images[region]
        new = [images[image_id] for image_id in images.keys() - self._known]
        for image in new:
            self._known.add(image.image_id)
            for snapshot_id in image.snapshot_ids:
                self._made_for.setdefault(snapshot_id, (region, image.image_id))
        return new

    def _request_of(self, image: Image) -> Seen:
        """Return the CopyImage, or whatever else, that made an image; its answer may have been lost."""
        return next(
            one
            for one in reversed(self._world.seen)
            if (one.region, one.at, one.actor) == (image.region, image.created_at, self._world.makers[image.image_id])
        )

    def ours(self, region: str) -> set[str]:
        """Return the images that amicopy may write to: made by it, adopted by it, or given our tag by a person."""
        services = {
            image.image_id
            for held in (self._world.state.images[region], self._world.state.deregistered[region])
            for image in held.values()
            if BACKUP_TAG in image.tags
        }
        return (self._world.made_by_us(region) | self._adopted | self._people.tagged_as_ours) - services

    def image(self, region: str, image_id: str) -> Image | None:
        """Return an image, whether it is still there or not."""
        state = self._world.state
        return state.images[region].get(image_id) or state.deregistered[region].get(image_id)

    def living_copies(self, region: str, source: tuple[str, str], encryption: str) -> list[Image]:
        """Return the copies of one source that amicopy made, encrypted in one way, as it left them."""
        ours = self._world.made_by_us(region)
        return [
            image
            for image in self._world.state.images[region].values()
            if image.state in LIVE
            and image.image_id in ours
            and image.image_id not in self._people.touched
            and (image.source_image_region, image.source_image_id) == source
            and self._encryption.get(image.image_id) == encryption
        ]

    def encryptions(self) -> set[str]:
        """Return every way in which copies were asked to be encrypted."""
        return set(self._encryption.values())

    def _check_copy(self, run: Run, seen: Seen, made: list[Image]) -> None:
        if not str(seen.params.get("ClientToken", "")).startswith(TOKEN):
            raise BrokenPromise(f"a copy without a token, by {run.start}")
        if seen.params.get("Encrypted") is False:
            raise BrokenPromise(f"Encrypted=false, by {run.start}")
        for image in made:
            source = (image.source_image_region, image.source_image_id)
            living = self.living_copies(seen.region, source, self._encryption[image.image_id])
            if len(living) > 1:
                ids = {one.image_id: f"{one.state} by {self._world.makers[one.image_id]}" for one in living}
                raise BrokenPromise(f"{seen.region}: {image.source_image_id} is doubled: {ids}, by {run.start}")

    def _resources(self, seen: Seen) -> set[str]:
        params = seen.params
        named = {params.get("ImageId", ""), params.get("SnapshotId", ""), *params.get("Resources", ())}
        return named - {""} if seen.operation != "CopyImage" else set()

    def _image_id_of(self, resource: str) -> str:
        return resource if resource.startswith("ami-") else self._made_for.get(resource, ("", ""))[1]

    def _check_whose(self, run: Run, seen: Seen, resource: str) -> None:
        """Check that a run writes to what amicopy has made, and never to a source that it was given."""
        home = {source.image_id for source in run.sources.values() if source.region == seen.region}
        home |= {one for source in run.sources.values() if source.region == seen.region for one in source.snapshot_ids}
        if resource in home and self._image_id_of(resource) not in run.copy_ids:
            raise BrokenPromise(f"{seen.operation} on {resource}, which is the source, by {run.start}")
        image_id = self._image_id_of(resource)
        image = self.image(seen.region, image_id)
        is_service = image is not None and BACKUP_TAG in image.tags
        tags = {item["Key"] for item in seen.params.get("Tags", ())} if seen.operation == "CreateTags" else set()
        if run.adopts and not is_service:
            self._adopted |= {image_id} if SOURCE_TAG in tags else set()
            return
        if run.start.command == "cancel" and image_id in run.copy_ids:
            return
        if image_id not in self.ours(seen.region):
            made_by = self._world.makers.get(image_id, "nobody known")
            raise BrokenPromise(f"{seen.operation} on {resource} ({image_id}) made by {made_by}, by {run.start}")
        if run.start.command == "verify" and image is not None and image.source_image_id in run.gone_before:
            raise BrokenPromise(f"{seen.operation} on a copy of a source that is gone, by {run.start}")

    def _check_sharing(self, run: Run, seen: Seen, change: Mapping[str, Any]) -> None:
        source, resource = self._shared_resource(run, seen)
        added = {value for item in change.get("Add") or () for value in item.values()}
        removed = {value for item in change.get("Remove") or () for value in item.values()}
        where = f"{seen.operation} of {source.image_id}'s copy in {seen.region}, by {run.start}"
        if removed and "--prune" not in run.start.options:
            raise BrokenPromise(f"{removed} removed without --prune: {where}")
        if run.shares is not None:
            if not added <= run.shares:
                raise BrokenPromise(f"shared with {added}, asked for {run.shares}: {where}")
            return
        if wrong := removed & self.always_permitted_since(resource, run.began):
            raise BrokenPromise(f"{wrong} removed, who may use the source: {where}")
        if not added:
            return
        if resource not in run.read:
            raise BrokenPromise(f"shared with {added}, whom nothing was read of: {where}")
        moment, slept = run.read[resource]
        if run.turn.slept_seconds - slept > FRESH_SECONDS:
            moment = self.moment
        if wrong := added - self.permitted_since(resource, moment):
            stale = f"{run.turn.slept_seconds - slept:.0f} s of its own waiting after it was read"
            raise BrokenPromise(f"shared with {wrong}, who may not use the source, {stale}: {where}")

    def _shared_resource(self, run: Run, seen: Seen) -> tuple[Image, str]:
        """Return the source of the copy that is shared, and which of the source's resources it is to be like."""
        resource = seen.params.get("ImageId") or seen.params["SnapshotId"]
        image = self.image(seen.region, self._image_id_of(resource))
        assert image is not None
        source = next((one for one in run.sources.values() if one.image_id == image.source_image_id), None)
        if source is None:
            raise BrokenPromise(f"{seen.operation} on {resource}, a copy of something else, by {run.start}")
        if resource == image.image_id:
            return source, source.image_id
        device = next(one.name for one in image.devices if one.snapshot_id == resource)
        return source, next(one.snapshot_id for one in source.devices if one.name == device)

    def _check_removal(self, run: Run, seen: Seen) -> None:
        image_id = seen.params["ImageId"]
        image = self.image(seen.region, image_id)
        assert image is not None
        is_finished = seen.state_before in {"available", "disabled"}
        what = f"the {seen.state_before} {image_id} of {seen.made_by} was removed by {run.name}, {run.start}"
        if run.start.command == "cancel":
            was_pending = image_id in run.seen_pending[seen.region]
            if is_finished and not was_pending and "--available" not in run.start.options:
                raise BrokenPromise(what)
            named = {*run.sources, *run.copy_ids}
            if named.isdisjoint({image_id, image.source_image_id}) and "--all-pending" not in run.start.options:
                raise BrokenPromise(f"not asked for: {what}")
            return
        if run.start.command == "sync" and "keep" in run.start.options and is_finished:
            if image_id in run.shared_before and image.launch_permissions:
                raise BrokenPromise(f"shared with others: {what}")
            return
        if seen.state_before not in LIVE:
            return
        may_be_its_own = seen.made_by == seen.actor or self._asked_in_the_same_moment(seen, image)
        if "cancel" not in run.start.options or not may_be_its_own:
            raise BrokenPromise(what)

    def _asked_in_the_same_moment(self, removal: Seen, image: Image) -> bool:
        """Tell whether EC2's dates leave open which run made it."""
        asked = [
            one.at
            for one in self._world.seen
            if (one.actor, one.operation, one.region) == (removal.actor, "CopyImage", removal.region)
        ]
        made_at = image.created_at
        return made_at is not None and any(abs((at - made_at).total_seconds()) <= SAME_MOMENT_SECONDS for at in asked)
