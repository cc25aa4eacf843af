part "What the test suite leaves out"

row "long-form" "the cases of the tests that repeat at length, with other seeds, layouts, launchers and signals" \
    tests_that TestCategory=Long
