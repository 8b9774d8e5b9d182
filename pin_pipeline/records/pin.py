"""A pin: what was posted, by whom, and where the picture lies."""

from pin_pipeline.records.fields import Integer, Magnitude, PrefixedPath, Text
from pin_pipeline.records.record_type import ConsistencyRule, Expectation, RecordType, one_of, published

IMAGE, STORY, VIDEO = "image", "multi-video(story page format)", "video"
CATEGORIES = (
    "art",
    "beauty",
    "christmas",
    "diy-and-crafts",
    "education",
    "event-planning",
    "finance",
    "home-decor",
    "mens-fashion",
    "quotes",
    "tattoos",
    "travel",
    "vehicles",
)
NO_STORY_DESCRIPTION = "No description available Story format"
USER_INFO_ERROR = "User Info Error"
IMAGE_SRC_ERROR = "Image src error."

_FIELDS = (
    Integer(name="index", description="Key of the post, shared by its pin, geolocation and user record."),
    Text(name="unique_id", description="UUID of the pin."),
    Text(name="title", description="Title of the pin.", sentinels=("No Title Data Available",)),
    Text(
        name="description",
        description="What the poster says of the pin.",
        sentinels=("No description available", NO_STORY_DESCRIPTION),
        required=False,
    ),
    Text(
        name="poster_name",
        description="Who posted the pin.",
        sentinels=(USER_INFO_ERROR,),
        required=False,
        personal=True,
    ),
    Magnitude(name="follower_count", description="Followers of the poster.", sentinels=(USER_INFO_ERROR,)),
    Text(
        name="tag_list",
        description="Tags of the pin, joined by commas.",
        sentinels=("N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",),
    ),
    Text(name="is_image_or_video", description="Image, video or multi-video story."),
    Text(name="image_src", description="Where the picture was found.", sentinels=(IMAGE_SRC_ERROR,)),
    Integer(name="downloaded", description="1 where the picture was downloaded, 0 where it was not.", maximum=1),
    PrefixedPath(name="save_location", description="Folder the picture was saved in.", prefix="Local save in "),
    Text(name="category", description="Category the pin was found in."),
)

PIN = RecordType(
    name="pin",
    description="Pins: what was posted, by whom, and where the picture lies.",
    source_table="pinterest_data",
    key="index",
    fields=_FIELDS,
    columns=(
        published(_FIELDS, "ind", "int", source="index"),
        published(_FIELDS, "unique_id", "string"),
        published(_FIELDS, "title", "string", filled=0.8),
        published(_FIELDS, "description", "string", filled=0.5),
        published(_FIELDS, "follower_count", "bigint", filled=0.9),
        published(_FIELDS, "poster_name", "string", filled=0.9),
        published(_FIELDS, "tag_list", "string", filled=0.5),
        published(_FIELDS, "is_image_or_video", "string"),
        published(_FIELDS, "image_src", "string", filled=0.8),
        published(_FIELDS, "save_location", "string"),
        published(_FIELDS, "category", "string"),
    ),
    consistency_rules=(
        ConsistencyRule(
            name="story_and_its_description",
            description="Stories, and no other pins, say that there is no description in the story format.",
            fields=("is_image_or_video", "description"),
            values=(STORY, NO_STORY_DESCRIPTION),
        ),
        ConsistencyRule(
            name="picture_and_its_source",
            description="The pins whose picture was not downloaded are those whose source is in error.",
            fields=("downloaded", "image_src"),
            values=(0, IMAGE_SRC_ERROR),
        ),
        ConsistencyRule(
            name="poster_and_followers",
            description="The poster's name and followers are in error together.",
            fields=("poster_name", "follower_count"),
            values=(USER_INFO_ERROR, USER_INFO_ERROR),
        ),
    ),
    expectations=(
        Expectation(
            name="category_known",
            description="The category is one of the 13 that pins were collected in.",
            sql=one_of("category", CATEGORIES),
            shown=("category",),
        ),
        Expectation(
            name="format_known",
            description="It is an image, a video or a multi-video story.",
            sql=one_of("is_image_or_video", (IMAGE, STORY, VIDEO)),
            shown=("is_image_or_video",),
        ),
        Expectation(
            name="folder_of_category",
            description="The picture lies in the folder of its category.",
            sql="save_location is null or category is null or save_location = '/data/' || category",
            shown=("category", "save_location"),
        ),
        Expectation(
            name="unique_id_is_uuid",
            description="unique_id is written as a UUID.",
            sql="unique_id is null or regexp_like(unique_id, '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",
            shown=("unique_id",),
        ),
        Expectation(
            name="followers_in_range",
            description="No poster has more followers than there are people.",
            sql="follower_count is null or follower_count between 0 and 8000000000",
            shown=("follower_count",),
        ),
    ),
)
