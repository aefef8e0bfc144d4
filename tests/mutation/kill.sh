# The tests that are to kill a mutant, quickest killers first; the first failure ends it.
set -e
export HYPOTHESIS_PROFILE=mutants
run() {
    python -m pytest -x -q -p no:cacheprovider --assert=plain "$@"
}
run tests/unit tests/examples/test_edge_cases.py tests/examples/test_tables.py \
    --ignore=tests/unit/test_cli.py --ignore=tests/unit/test_readme.py --ignore=tests/unit/test_import.py
run tests/property --ignore=tests/property/test_every_configuration.py
run tests/vectors -k "constants or unsupported"
