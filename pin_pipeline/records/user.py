"""A user: who posted a pin."""

from pin_pipeline.records.fields import Integer, Text, Timestamp
from pin_pipeline.records.record_type import Column, Combine, Expectation, RecordType, published

_FIELDS = (
    Integer(name="ind", description="Key of the post, shared by its pin, geolocation and user record."),
    Text(name="first_name", description="First name of the user.", personal=True),
    Text(name="last_name", description="Last name of the user.", personal=True),
    Integer(name="age", description="Age of the user in years.", maximum=150),
    Timestamp(name="date_joined", description="When the user joined."),
)

USER = RecordType(
    name="user",
    description="Users: who posted each pin.",
    source_table="user_data",
    key="ind",
    fields=_FIELDS,
    columns=(
        published(_FIELDS, "ind", "int"),
        Column(
            name="user_name",
            type="string",
            description="First name, space, last name.",
            fields=("first_name", "last_name"),
            combine=Combine.WORDS,
            personal=True,
        ),
        published(_FIELDS, "age", "int"),
        published(_FIELDS, "date_joined", "timestamp"),
    ),
    expectations=(
        Expectation(
            name="age_in_range",
            description="Pinterest has no users under 13, and few over 120.",
            sql="age between 13 and 120",
            shown=("age",),
        ),
        Expectation(
            name="joined_in_range",
            description="Users joined since Pinterest opened in March 2010, and not in the future.",
            sql="date_joined between '2010-03-01T00:00:00Z' and now()",
            shown=("date_joined",),
        ),
    ),
)
