"""The names of files, and of the devices that the kernel swaps to."""

from __future__ import annotations

from typing import NamedTuple

from pmdswp.dump.kernel import DAMAGED, Kernel

__all__ = ["Device", "name_of_file", "swap_devices"]

_SWP_USED = 1
_DEEPEST = 256
"""Folders and mounts above a file, before they are taken for a circle."""


class Device(NamedTuple):
    """A swap device: its `type`, which is the number in entries, its `name`, and how many slots (pages) it has."""

    type: int
    name: str
    slots: int


def name_of_file(kernel: Kernel, file: int) -> str | None:
    """The path of a `struct file`, as far as it can be read; None if nothing of it can be."""
    try:
        dentry, mnt = (kernel.get("file", file, f"f_path.{name}") for name in ("dentry", "mnt"))
    except DAMAGED:
        return None
    parts: list[str] = []
    try:
        inside = kernel.member("mount", "mnt").offset
        mount = mnt - inside
        while len(parts) < _DEEPEST:
            parent = kernel.get("dentry", dentry, "d_parent")
            if dentry not in (parent, kernel.get("vfsmount", mount + inside, "mnt_root")):
                parts.append(_name(kernel, dentry))
                dentry = parent
                continue
            above = kernel.get("mount", mount, "mnt_parent")
            if above == mount:
                # a pipe or a socket has no name in its file system
                return f"/{'/'.join(reversed(parts))}"
            dentry, mount = kernel.get("mount", mount, "mnt_mountpoint"), above
    except DAMAGED:
        pass
    return "/".join(("...", *reversed(parts))) if parts else None


def _name(kernel: Kernel, dentry: int) -> str:
    return kernel.string(kernel.get("dentry", dentry, "d_name.name"))


def swap_devices(kernel: Kernel) -> dict[int, Device]:
    """The swap devices by type. `LookupError` where the kernel's table of them cannot be found."""
    table, count = (kernel.core.symbols.get(name) for name in ("swap_info", "nr_swapfiles"))
    if table is None or count is None:
        raise LookupError("the kernel has no symbols swap_info and nr_swapfiles here")
    found: dict[int, Device] = {}
    for number in range(min(kernel.number(count, 4), 64)):
        try:
            info = kernel.number(table + 8 * number)
            if not info or not kernel.get("swap_info_struct", info, "flags") & _SWP_USED:
                continue
            slots = kernel.get("swap_info_struct", info, "max")
            found[number] = Device(number, _name_of_device(kernel, info) or "(unknown)", slots)
        except DAMAGED as error:
            kernel.note(f"swap device {number} cannot be read: {error}")
    return found


def _name_of_device(kernel: Kernel, info: int) -> str | None:
    """The path by which it was turned on; else the name of the block device."""
    try:
        file = kernel.get("swap_info_struct", info, "swap_file")
        path = name_of_file(kernel, file) if file else None
        if path is not None:
            return path
        device = kernel.get("swap_info_struct", info, "bdev")
        return kernel.string(kernel.get("block_device", device, "bd_device.kobj.name"))
    except DAMAGED:
        return None
