"""The kernel oracle: what a kernel source tree computes of swap entries, measured by compiling its own headers.

A tree is configured for an architecture, small probe functions are compiled by its own build system, and the program is
asked, natively or under qemu-user. Needs what builds a kernel (`pmdswp.oracle.tools` names Debian's packages), and
nothing of it runs unless it is called: `pmdswp check-tree` is the command.

| module | what it holds |
|---|---|
| `configurations` | architectures, and the configurations that differ in a bit |
| `constants` | the names of the constants in a `geom` record, and which functions a tree has |
| `helpers` | which helpers are asked of whole words |
| `tools` | the programs that are needed, and which package has them |
| `paths` | the folders that it is given |
| `contents` | what of a tree a build may read |
| `processes` | how programs are run, and ended |
| `build` | configure, compile, link, ask |
| `questions`, `earlier.txt` | which words are asked, and why (the `w` of a record) |
| `stated`, `levels`, `classes` | what pmdswp has to say to each constant, helper and predicate |
| `replay` | all answers beside those of a revision of pmdswp |
| `placement`, `diagnose` | what differs, in few words |
| `check` | `pmdswp check-tree` |
| `probe/` | the C program |
"""
