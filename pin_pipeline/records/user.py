"""Definition of user records: who posted a pin."""

from pin_pipeline.records.fields import Integer, Text, Timestamp
from pin_pipeline.records.record_type import Column, Combine, Expectation, RecordType, published_column

_FIELDS = (
    Integer(name="ind", description="Key of the post, shared by its pin, geolocation and user record."),
    Text(name="first_name", description="First name of the user.", personal=True),
    Text(name="last_name", description="Last name of the user.", personal=True),
    Integer(name="age", description="Age of the user in years.", maximum=150),
    Timestamp(name="date_joined", description="Time at which the user joined."),
)

USER = RecordType(
    name="user",
    description="Users: who posted each pin.",
    source_table="user_data",
    key="ind",
    fields=_FIELDS,
    columns=(
        published_column(_FIELDS, "ind", "int"),
        Column(
            name="user_name",
            type="string",
            description="Full name of the user: first name, space, last name.",
            fields=("first_name", "last_name"),
            combine=Combine.SPACE_JOINED,
            personal=True,
        ),
        published_column(_FIELDS, "age", "int"),
        published_column(_FIELDS, "date_joined", "timestamp"),
    ),
    expectations=(
        Expectation(
            name="age_in_range",
            description="The user is between 13, the minimum age on Pinterest, and 120 years old.",
            sql="age between 13 and 120",
            sample_columns=("age",),
        ),
        Expectation(
            name="joined_in_range",
            description="The user joined after Pinterest launched in March 2010, and not in the future.",
            sql="date_joined between '2010-03-01T00:00:00Z' and now()",
            sample_columns=("date_joined",),
        ),
    ),
)
