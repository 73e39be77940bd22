"""Why rows do not fit, without the values: reasons that differ in those alone are of one kind."""

import re

# What stands for a value.
VALUE = "…"
_WITHOUT = (
    # "inputs.x: expected a number, not "far"", "inputs has to be an object, not 3"
    (re.compile(r"(?<! is)( not ).+$", re.DOTALL), rf"\g<1>{VALUE}"),
    # "outputs.p: 7.0 is not a probability in [0, 1]"
    (
        re.compile(
            r"^(.+?: ).+( is not a probability in \[0, 1\]| is not finite| is too large"
            r"| is none of the classes .*)$",
            re.DOTALL,
        ),
        rf"\g<1>{VALUE}\g<2>",
    ),
    # "timestamp "yesterday" is not ISO 8601"
    (
        re.compile(
            r'^(.+?) ".*( is not ISO 8601| has no time zone; .*| is out of range| is before 1970'
            r"| is more than \S+ in the future)$",
            re.DOTALL,
        ),
        rf"\g<1> {VALUE}\g<2>",
    ),
    (re.compile(r"^(prediction_id has )\d+( characters)"), rf"\g<1>{VALUE}\g<2>"),
)


def kind_of_reason(reason: str) -> str:
    """A reason without the value that it is about.

    >>> kind_of_reason("outputs.p: 7.0 is not a probability in [0, 1]")
    'outputs.p: … is not a probability in [0, 1]'
    >>> kind_of_reason('inputs.distance: expected a number, not "far"')
    'inputs.distance: expected a number, not …'
    """
    for pattern, without in _WITHOUT:
        found, times = pattern.subn(without, reason, count=1)
        if times:
            return found
    return reason
