using System.Globalization;
using System.Text;
using Quern.Corpus.Grammar;
using Quern.Corpus.Lexicon;
using Quern.Corpus.World;

namespace Quern.Corpus.Documents;

/// <summary>Short descriptions and the same as JSON, questions about a record, and what a story says as a record.</summary>
internal static class RecordDocuments
{
    private static readonly string[] Likes = Table.Of("songs, rain, snow, stories, games, flowers, music, stars, puzzles, soup, apples, cookies, boats, kites, books, drawing, running, swimming, dancing, cheese");
    private static readonly string[] Days = Table.Of("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday");
    private static readonly string[] Skies = Table.Of("sunny, cloudy, rainy, windy, snowy, foggy, stormy");
    private static readonly string[] Towns = Table.Of("Greenhill, Oakville, Seaside, Riverton, Maplewood, Stonebridge, Sunfield, Birchwood, Lakeview, Redport");
    private static readonly string[] Rooms = Table.Of("kitchen, attic, garden, hall, cellar, bedroom, shed, library");

    private sealed record Entry(string Description, IReadOnlyList<(string Key, object Value)> Fields);

    public static Document Write(Dice dice, bool chat)
    {
        if (dice.Percent(20)) return FromStory(dice, chat);
        bool indented = dice.Percent(35);
        int count = chat ? dice.Between(1, 2) : dice.Between(1, 3);
        List<Turn> turns = [];
        StringBuilder text = new();
        for (int i = 0; i < count; i++)
        {
            Entry entry = Draw(dice);
            string json = Json.Write(entry.Fields, indented);
            if (text.Length != 0) text.Append("\n\n");
            text.Append(entry.Description).Append('\n').Append(json);
            if (chat && dice.Percent(30)) Ask(dice, entry, json, turns);
            else turns.AddRange([new Turn("user", Request(dice, entry)), new Turn("assistant", json)]);
        }

        return chat ? Document.Chat(DocumentKind.Record, turns) : Document.Plain(DocumentKind.Record, text.ToString());
    }

    private static string Request(Dice dice, Entry entry) => dice.Below(4) switch
    {
        0 => $"Write this as JSON: {entry.Description}",
        1 => $"{entry.Description}\n\nGive me this as a JSON object.",
        2 => $"Make a JSON record with the keys {string.Join(", ", entry.Fields.Select(field => field.Key))}. {entry.Description}",
        _ => $"Turn this into JSON: {entry.Description}",
    };

    private static void Ask(Dice dice, Entry entry, string json, List<Turn> turns)
    {
        (string key, object value) = entry.Fields[dice.Below(entry.Fields.Count)];
        turns.Add(new Turn("user", $"{json}\n\nWhat is the value of \"{key}\"?"));
        turns.Add(new Turn("assistant", Json.Value(value)));
    }

    private static Document FromStory(Dice dice, bool chat)
    {
        Story story = StoryDocuments.Tell(dice, 0);
        string json = Json.Write([("name", story.Hero.Name), ("kind", story.Hero.Kind), ("home", story.Roles.Find("home").Form("")), ("lesson", story.Lesson)], dice.Percent(35));
        return chat
            ? Document.Chat(DocumentKind.Record, [new Turn("user", $"{story.Text}\n\nWho is the story about? Answer as JSON with the keys name, kind, home, lesson."), new Turn("assistant", json)])
            : Document.Plain(DocumentKind.Record, $"{story.Text}\n\n{json}");
    }

    private static Entry Draw(Dice dice)
    {
        Cast cast = new(dice);
        Roles roles = new();
        List<(string, object)> fields = [];
        string template;
        switch (dice.Below(5))
        {
            case 0:
                Character who = cast.Young();
                int age = dice.Between(2, 12);
                string[] likes = dice.PickSome(Likes, dice.Between(1, 3));
                roles["hero"] = who;
                Set("age", age);
                roles["likes"] = new Phrase(Join(likes));
                fields.AddRange([("name", who.Name), ("kind", who.Kind), ("age", age), ("likes", likes)]);
                template = "{Hero} is {an} {hero.kind}. {He} is {age} years old and likes {likes}.";
                break;
            case 1:
                Thing thing = cast.Toy();
                int price = dice.Between(2, 40);
                bool sold = dice.Percent(50);
                roles["thing"] = thing;
                Set("price", price);
                roles["sold"] = new Phrase(sold ? "sold" : "not sold yet");
                fields.AddRange([("item", thing.Noun), ("look", thing.Adjective), ("price", price), ("sold", sold)]);
                template = "The shop has {thing.a}. The price is {price} coins. The {thing.noun} {thing.is} {sold}.";
                break;
            case 2:
                string day = dice.Pick(Days), sky = dice.Pick(Skies), town = dice.Pick(Towns);
                int degrees = dice.Between(2, 30);
                (roles["day"], roles["sky"], roles["town"]) = (new Phrase(day), new Phrase(sky), new Phrase(town));
                Set("degrees", degrees);
                fields.AddRange([("town", town), ("day", day), ("weather", sky), ("degrees", degrees)]);
                template = "On {day}, it is {sky} in {town}. It is {degrees} degrees.";
                break;
            case 3:
                Character friend = cast.Child();
                string when = dice.Pick(Days), where = dice.Pick(Rooms);
                int guests = dice.Between(2, 15);
                roles["hero"] = friend;
                (roles["day"], roles["room"]) = (new Phrase(when), new Phrase(where));
                Set("guests", guests);
                fields.AddRange([("event", "party"), ("host", friend.Name), ("day", when), ("room", where), ("guests", guests)]);
                template = "{Hero} has a party on {day}. {He} has invited {guests} guests. The party is in the {room}.";
                break;
            default:
                string[] list = dice.PickSome(Things.Treats, dice.Between(2, 4));
                Character buyer = cast.Child();
                roles["hero"] = buyer;
                roles["list"] = new Phrase(Join([.. list.Select(item => $"{Articles.For(item)} {item}")]));
                fields.AddRange([("buyer", buyer.Name), ("items", list), ("count", list.Length)]);
                template = "{Hero} goes to the shop. {He} buys {list}.";
                break;
        }

        StringBuilder text = new();
        Template.Expand(template, dice, roles, text);
        return new Entry(text.ToString(), fields);

        void Set(string role, int number) => roles[role] = new Phrase(number.ToString(CultureInfo.InvariantCulture));
    }

    private static string Join(string[] words) =>
        words.Length == 1 ? words[0] : $"{string.Join(", ", words[..^1])} and {words[^1]}";
}
