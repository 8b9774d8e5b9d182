"""Definition of pin records: what was posted, by whom, and where the image was stored."""

from pin_pipeline.records.fields import Integer, Magnitude, PrefixedPath, Text
from pin_pipeline.records.record_type import ConsistencyRule, Expectation, RecordType, null_or_in, published_column

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
        description="Description of the pin, written by the poster.",
        sentinels=("No description available", NO_STORY_DESCRIPTION),
        required=False,
    ),
    Text(
        name="poster_name",
        description="Name of the account that posted the pin.",
        sentinels=(USER_INFO_ERROR,),
        required=False,
        personal=True,
    ),
    Magnitude(name="follower_count", description="Number of followers of the poster.", sentinels=(USER_INFO_ERROR,)),
    Text(
        name="tag_list",
        description="Tags of the pin, separated by commas.",
        sentinels=("N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",),
    ),
    Text(name="is_image_or_video", description="Media type: image, video or multi-video story."),
    Text(name="image_src", description="URL of the image.", sentinels=(IMAGE_SRC_ERROR,)),
    Integer(name="downloaded", description="1 if the image was downloaded, 0 if not.", maximum=1),
    PrefixedPath(name="save_location", description="Folder in which the image was saved.", prefix="Local save in "),
    Text(name="category", description="Category of the pin."),
)

PIN = RecordType(
    name="pin",
    description="Pins: what was posted, by whom, and where the image was stored.",
    source_table="pinterest_data",
    key="index",
    fields=_FIELDS,
    columns=(
        published_column(_FIELDS, "ind", "int", source="index"),
        published_column(_FIELDS, "unique_id", "string"),
        published_column(_FIELDS, "title", "string", min_filled=0.8),
        published_column(_FIELDS, "description", "string", min_filled=0.5),
        published_column(_FIELDS, "follower_count", "bigint", min_filled=0.9),
        published_column(_FIELDS, "poster_name", "string", min_filled=0.9),
        published_column(_FIELDS, "tag_list", "string", min_filled=0.5),
        published_column(_FIELDS, "is_image_or_video", "string"),
        published_column(_FIELDS, "image_src", "string", min_filled=0.8),
        published_column(_FIELDS, "save_location", "string"),
        published_column(_FIELDS, "category", "string"),
    ),
    consistency_rules=(
        ConsistencyRule(
            name="story_and_its_description",
            description="Stories, and only stories, have the description `No description available Story format`.",
            fields=("is_image_or_video", "description"),
            values=(STORY, NO_STORY_DESCRIPTION),
        ),
        ConsistencyRule(
            name="picture_and_its_source",
            description="`image_src` is `Image src error.` if and only if `downloaded` is 0.",
            fields=("downloaded", "image_src"),
            values=(0, IMAGE_SRC_ERROR),
        ),
        ConsistencyRule(
            name="poster_and_followers",
            description="`poster_name` and `follower_count` are both `User Info Error`, or neither is.",
            fields=("poster_name", "follower_count"),
            values=(USER_INFO_ERROR, USER_INFO_ERROR),
        ),
    ),
    expectations=(
        Expectation(
            name="category_known",
            description="The category is one of the 13 known ones.",
            sql=null_or_in("category", CATEGORIES),
            sample_columns=("category",),
        ),
        Expectation(
            name="format_known",
            description="The media type is image, video or multi-video story.",
            sql=null_or_in("is_image_or_video", (IMAGE, STORY, VIDEO)),
            sample_columns=("is_image_or_video",),
        ),
        Expectation(
            name="folder_of_category",
            description="The image was saved in the folder of its category.",
            sql="save_location is null or category is null or save_location = '/data/' || category",
            sample_columns=("category", "save_location"),
        ),
        Expectation(
            name="unique_id_is_uuid",
            description="`unique_id` has the format of a UUID.",
            sql="unique_id is null or regexp_like(unique_id, '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",
            sample_columns=("unique_id",),
        ),
        Expectation(
            name="followers_in_range",
            description="The number of followers is at most the world population, 8 billion.",
            sql="follower_count is null or follower_count between 0 and 8000000000",
            sample_columns=("follower_count",),
        ),
    ),
)
