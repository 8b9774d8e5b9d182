"""Vocabulary of the synthetic texts: names, words, emoji and tags."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words("""
Aaron Abigail Adam Adrian Aisha Alan Alejandra Alice Amanda Amy Andrea Andrew Angela Anna Anthony Ashley Barbara
Benjamin Beth Brandon Brian Caitlin Carlos Carol Catherine Charles Christina Cindy Daniel David Deborah Diana
Donald Dorothy Edward Elena Elizabeth Emily Emma Eric Fatima Frank Gabriel George Grace Hannah Heather Helen Henry
Ian Isabel Jack Jacob Jamal James Jasmine Jennifer Jessica John Jonathan Joseph Julia Karen Katherine Keith Kenji
Kimberly Kyle Laura Leah Liam Linda Lisa Lucas Lucia Luis Margaret Maria Mark Mary Matthew Megan Mei Melissa
Michael Monica Nancy Natalie Nathan Nicole Noah Olivia Omar Pamela Patrick Paul Peter Priya Rachel Raymond Rebecca
Richard Robert Ruth Ryan Samantha Sandra Sara Scott Sean Sofia Stephen Susan Tanya Teresa Thomas Timothy Tyler
Vanessa Victor Victoria Walter Wendy William Yusuf Zachary Zoe
""")

LAST_NAMES = _words("""
Abbott Acosta Adams Ali Allen Alvarez Anderson Bailey Baker Banerjee Barnes Bell Bennett Brooks Brown Bryant Butler
Campbell Carter Castillo Chan Chavez Clark Coleman Collins Cook Cooper Cox Cruz Daniels Davis Diaz Dixon Edwards
Evans Fisher Flores Foster Garcia Gibson Gomez Gonzalez Graham Gray Green Griffin Hall Hamilton Harris Hayes
Henderson Hernandez Hill Howard Hughes Hussain Ito Jackson James Jenkins Johnson Jones Jordan Kelly Kennedy Khan
Kim King Kowalski Lê Lewis Long Lopez Marshall Martin Martinez Mason McDonald Miller Mitchell Moore Morales
Morgan Morris Müller Muñoz Murphy Murray Myers Nelson Nguyen Novak O'Brien Okafor Ortiz Owens Parker Patel Perez Perry
Peterson Phillips Powell Price Ramirez Reed Reyes Reynolds Richardson Rivera Roberts Robinson Rodriguez Rogers Ross
Russell Sanchez Sanders Scott Shah Silva Simmons Smith Stevens Stewart Suzuki Taylor Thomas Thompson Torres Tucker
Turner Wagner Walker Wallace Ward Watson West White Williams Wilson Wong Wood Wright Young
""")

ENGLISH = _words("""
a about add after all an and are around autumn bathroom beautiful because before best bold bright budget build by cake
candle chair cheap classic clever colors cook corner cozy craft create creative day decorate design don't draw dream
each easy elegant every family fast favorite find fresh friends from fun garden gift give glass guide hand-made happy
have here home how idea in inspiring into is it's just kids kitchen learn light little living love make many minimal
modern month morning natural new next of old on one our paint paper party pattern people perfect photo plan pretty
print quick ready recipe room save season see simple small soft space step style summer table that the these things
this time tips to today together travel try under vintage wall warm watch way weekend what when white winter with
without wood you your
""")

OTHER_LANGUAGES = tuple(
    _words(text)
    for text in (
        "à côté être fête très beauté idée créer décoré été façon forêt goût hôtel île lumière même père réussir où",
        "año baño cómo corazón decoración diseño está fácil ilusión jardín mañana más niños otoño pequeño también tú",
        "für schön Möbel Küche Gärten über Frühling grün Bäume Kürbis Straße süß Wände natürlich Türen Stück Höhe",
        "для дома идея своими руками зима красивый новый год подарок простой рецепт стиль уютный цветы что как и",
        "手作り 季節 部屋 花 簡単 冬 アイデア かわいい 旅行 写真 暮らし 色 春 お祝い 雑貨 インテリア 名言 車 水彩 夜景",
        "اليوم بيت جميل جديد حديقة زهور سفر سهل صورة طبيعة عائلة فكرة فن قهوة كتاب لون مطبخ هدية ورق يد",
        "가을 거실 겨울 그림 꽃 나무 디자인 만들기 봄 사진 선물 소품 아이디어 여름 여행 예쁜 인테리어 집 커피 하루",
        "घर रंग सुंदर नया आसान विचार उपहार कला यात्रा फूल चित्र सर्दी कागज परिवार सजावट शैली खुशी दिन रसोई",
    )
)

EMOJI = ("🎄", "🌿", "✨", "🎨", "👩🏽‍🎨", "❤️", "🏡", "🚗", "🇵🇹", "☕")

TAG_MODIFIERS = _words("""
Abstract Easy Vintage Modern Rustic Minimalist Colorful Handmade Classic Small Outdoor Winter Summer Cute Bold Simple
Watercolor Dark Boho Elegant Cheap Natural Floral Geometric
""")

TAG_NOUNS = _words("""
Ideas Designs Drawings Gifts Recipes Kitchens Outfits Quotes Tattoos Cars Trips Crafts Wreaths Tips Budgets Parties
Bedrooms Sketches Hairstyles Makeup Posters Gardens Motorcycles Classrooms
""")

POSTER_ENDINGS = ("", "", "", " Studio", " Blog", " at Home", " & Co.", " | Ideas for Every Day", " Living")
