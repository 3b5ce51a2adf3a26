using System.Text.Json.Nodes;
using FsCheck.Xunit;

namespace Quern.Text.Tests.Templates;

/// <summary>What templates do, expression by expression, as Jinja2 3.1 does it.</summary>
public sealed class ChatTemplateTests
{
    private static readonly ChatMessage[] Messages = [new("system", "Be kind."), new("user", " Hello "), new("assistant", "Hi")];

    private static string Render(string source, params (string Name, string Json)[] variables) => ChatTemplate.Parse(source).Render(Messages, new ChatTemplateOptions
    {
        BosToken = "<s>",
        Variables = variables.ToDictionary(variable => variable.Name, variable => JsonNode.Parse(variable.Json)),
    });

    [Theory]
    [InlineData("a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc")]
    [InlineData("a\n  {% if true %}b{% endif %}\n c", "a\nb c")]
    [InlineData("a  {%- if true -%}  b  {%- endif -%}  c", "abc")]
    [InlineData("a\n  {%+ if true %}b{% endif +%}\nc", "a\n  b\nc")]
    [InlineData("a {# not this #} b\n  {# nor this #}\nc", "a  b\nc")]
    [InlineData("{{ 1 }}\n{{ 2 }}", "1\n2")]
    [InlineData("a {{- 'b' -}} c", "abc")]
    [InlineData("{% raw %}{{ x }}{% endraw %}!", "{{ x }}!")]
    [InlineData("{{ '{{' }}", "{{")]
    public void White_space_is_where_Jinja_leaves_it(string source, string expected) => Assert.Equal(expected, Render(source));

    [Theory]
    [InlineData("1 + 2 * 3 - 4 / 2", "5.0")]
    [InlineData("7 // 2 ~ '|' ~ -7 // 2 ~ '|' ~ 7 % 3 ~ '|' ~ -7 % 3", "3|-4|1|2")]
    [InlineData("2 ** 3 ** 1", "8")]
    [InlineData("1 < 2 < 3 and not 3 < 2", "True")]
    [InlineData("'a' if false else 'b' if true else 'c'", "b")]
    [InlineData("'x' in 'xyz' and 'k' not in {'j': 1} and 2 in [1, 2]", "True")]
    [InlineData("none or 'b'", "b")]
    [InlineData("'' and 'b'", "")]
    [InlineData("-1 | abs", "1")]
    [InlineData("[1, 'a', none, true, 1.5, {'k': 'it\\'s'}]", "[1, 'a', None, True, 1.5, {'k': \"it's\"}]")]
    [InlineData("(1,) ~ (1, 2)", "(1,)(1, 2)")]
    [InlineData("[1, 2, 3, 4][1:3] ~ [1, 2, 3][::-1] ~ 'abc'[-1] ~ 'abcd'[:-1]", "[2, 3][3, 2, 1]cabc")]
    [InlineData("'a' 'b' ~ \"\\n\\u00e9\"", "ab\né")]
    [InlineData("{'a': {'b': [5]}}.a.b[0]", "5")]
    [InlineData("{'items': 1}['items']", "1")]
    [InlineData("1e3 is defined", "error")]
    [InlineData("0.1 + 0.2", "0.30000000000000004")]
    [InlineData("1.0 ~ '|' ~ 100000.0 * 100000000000.0 ~ '|' ~ 0.0001 / 10 ~ '|' ~ 1 / 3", "1.0|1e+16|1e-05|0.3333333333333333")]
    [InlineData("'%s is %d%%' % ('x', 5)", "x is 5%")]
    [InlineData("'a<b'|safe + '<c>'", "a<b&lt;c&gt;")]
    [InlineData("undefined_thing", "")]
    [InlineData("'ab' * 2", "abab")]
    public void Expressions_have_Pythons_values(string expression, string expected)
    {
        if (expected == "error") Assert.Throws<ChatTemplateException>(() => Render($"{{{{ {expression} }}}}"));
        else Assert.Equal(expected, Render($"{{{{ {expression} }}}}"));
    }

    [Theory]
    [InlineData("' a '|trim ~ '|' ~ 'aXb'|lower ~ 'aXb'|upper ~ 'two words'|title ~ 'aXb'|capitalize", "a|axbAXBTwo WordsAxb")]
    [InlineData("[3, 1, 2]|sort|join(',') ~ [1, 2]|sum ~ [1, 2]|first ~ [1, 2]|last ~ [1, 2]|length", "1,2,33122")]
    [InlineData("none|default('x') ~ missing|default('y') ~ none|default('z', true)", "Noneyz")]
    [InlineData("messages|map(attribute='role')|join('+')", "system+user+assistant")]
    [InlineData("messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|first", " Hello ")]
    [InlineData("messages|rejectattr('role', 'in', ['user', 'system'])|list|length", "1")]
    [InlineData("['b', 'a', 'B']|unique|list ~ {'b': 1, 'a': 2}|dictsort", "['b', 'a'][('a', 2), ('b', 1)]")]
    [InlineData("'a\nb'|indent(2) ~ '|' ~ 'a\nb'|indent(2, true)", "a\n  b|  a\n  b")]
    [InlineData("('3'|int + '2.5'|float) ~ 'x'|int ~ 2.5|round ~ 2.567|round(1)", "5.502.02.6")]
    [InlineData("{'a': [1, none, 'é\"\\n'], 'b': {}}|tojson", "{\"a\": [1, null, \"é\\\"\\n\"], \"b\": {}}")]
    [InlineData("{'b': [1], 'a': 2}|tojson(indent=2)", "{\n  \"b\": [\n    1\n  ],\n  \"a\": 2\n}")]
    [InlineData("{'b': 1, 'a': 2}|tojson(separators=(',', ':'), sort_keys=true)", "{\"a\":2,\"b\":1}")]
    [InlineData("'a-b-c'.split('-', 1) ~ 'a-b-c'.rsplit('-', 1) ~ ' a  b '.split()", "['a', 'b-c']['a-b', 'c']['a', 'b']")]
    [InlineData("'xxaxx'.strip('x') ~ 'ab'.startswith('a') ~ 'ab'.endswith(('x', 'b')) ~ 'aaa'.replace('a', 'b', 2)", "aTrueTruebba")]
    [InlineData("{'a': 1}.get('a') ~ {'a': 1}.get('b', 2) ~ {'a': 1}.items()|list ~ {'a': 1}.keys()|list", "12[('a', 1)]['a']")]
    [InlineData("3 is odd and 4 is even and 9 is divisibleby 3 and 'A' is upper and x is not defined and none is none", "True")]
    [InlineData("range(3)|list ~ range(5, 1, -2)|list", "[0, 1, 2][5, 3]")]
    public void Filters_methods_and_tests(string expression, string expected) => Assert.Equal(expected, Render($"{{{{ {expression} }}}}"));

    [Theory]
    [InlineData("{% for m in messages %}{{ loop.index }}{{ m.role[0] }}{{ '' if loop.last else ',' }}{% endfor %}", "1s,2u,3a")]
    [InlineData("{% for m in messages if m.role != 'user' %}{{ loop.index }}/{{ loop.length }} {% else %}none{% endfor %}", "1/2 2/2 ")]
    [InlineData("{% for x in [] %}{{ x }}{% else %}none{% endfor %}", "none")]
    [InlineData("{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}", "0134")]
    [InlineData("{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "a1b2")]
    [InlineData("{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + 1 %}{% endfor %}{{ x }}", "1")]
    [InlineData("{% set n = namespace(x=1) %}{% for i in [1, 2] %}{% set n.x = n.x + 1 %}{% endfor %}{{ n.x }}", "3")]
    [InlineData("{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12")]
    [InlineData("{% set t | upper %}ab{{ 1 }}{% endset %}{{ t }}", "AB1")]
    [InlineData("{% macro m(a, b='x') %}[{{ a }}{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}{{ m() }}", "[1x][12][x]")]
    [InlineData("{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "3210")]
    [InlineData("{% filter upper %}a{{ 'b' }}{% endfilter %}", "AB")]
    [InlineData("{% generation %}x{% endgeneration %}", "x")]
    [InlineData("{{ bos_token }}{% if add_generation_prompt %}>{% endif %}", "<s>>")]
    [InlineData("{% for x in [1,2,3] %}{{ loop.previtem }}{{ loop.cycle('a', 'b') }}{% endfor %}", "a1b2a")]
    public void Statements(string source, string expected) => Assert.Equal(expected, Render(source));

    [Theory]
    [InlineData("{% if x %}", 1, "line 1: a block that began in line 1 is not closed; expected 'endif'")]
    [InlineData("a\n{{ 1 + }}", 2, "line 2: there is nothing where a value belongs")]
    [InlineData("\n\n{% set x 1 %}", 3, "line 3: there is '1'; expected %}")]
    [InlineData("{{ 'a }}", 1, "a text is not closed; expected '")]
    [InlineData("{{ a", 1, "a bracket is not closed; expected }}")]
    [InlineData("{# a", 1, "a comment is not closed")]
    [InlineData("{% include 'x' %}", 1, "there is a statement 'include'; expected if, for")]
    [InlineData("{{ a ? b }}", 1, "there is '?', which no expression has")]
    [InlineData("{% endif %}", 1, "there is a statement 'endif'")]
    public void What_is_not_well_formed_is_told_with_its_line(string source, int line, string expected)
    {
        ChatTemplateException e = Assert.Throws<ChatTemplateException>(() => { ChatTemplate.Parse(source); });
        Assert.Equal(line, e.Line);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ raise_exception('no ' ~ messages[0].role) }}", "no system")]
    [InlineData("{{ 'a' + 1 }}", "'+' does not take a text and a number")]
    [InlineData("{{ x.y }}", "'x' is undefined, so it has no attribute 'y'")]
    [InlineData("{{ messages[0].nothing.more }}", "a mapping has no attribute 'nothing', so it has no attribute 'more'")]
    [InlineData("{{ f() }}", "'f' is undefined, so it cannot be called")]
    [InlineData("{{ 1 | nothing }}", "there is no filter 'nothing'")]
    [InlineData("{{ 1 is nothing }}", "there is no test 'nothing'")]
    [InlineData("{{ 1 // 0 }}", "a division by zero")]
    [InlineData("{{ messages|map(attribute='role')|tojson }}", "a generator cannot be written as JSON")]
    [InlineData("{{ messages[0].update({}) }}", "a mapping has no attribute 'update', so it cannot be called")]
    public void What_does_not_fit_is_told(string source, string expected) =>
        Assert.EndsWith(expected, Assert.Throws<ChatTemplateException>(() => Render("\n" + source)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "deep")]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% set n = namespace(x='aaaaaaaa') %}{% for a in range(40) %}{% set n.x = n.x + n.x %}{% endfor %}", "characters")]
    [InlineData("{{ 'a' * 99999999 }}", "characters")]
    [InlineData("{% set n = namespace(x=[1]) %}{% for a in range(40) %}{% set n.x = n.x + n.x %}{% endfor %}", "characters")]
    [InlineData("{% set n = namespace(x='aa') %}{% for a in range(40) %}{% set n.x = n.x.replace('a', n.x) %}{% endfor %}", "characters")]
    [InlineData("{% set n = namespace(x='aa') %}{% for a in range(40) %}{% set n.x = range(99)|join(n.x) %}{% endfor %}", "characters")]
    [InlineData("{{ range(9999999) }}", "more than 100000 numbers")]
    public void A_template_cannot_run_or_grow_for_ever(string source, string expected) =>
        Assert.Contains(expected, Assert.Throws<ChatTemplateException>(() => Render(source)).Message, StringComparison.Ordinal);

    [Fact]
    public void Deep_nesting_is_refused()
    {
        Assert.Throws<ChatTemplateException>(() => { ChatTemplate.Parse("{{ " + new string('(', 5000) + " }}"); });
        Assert.Throws<ChatTemplateException>(() => { ChatTemplate.Parse("{{ " + string.Concat(Enumerable.Repeat("not ", 5000)) + "x }}"); });
        Assert.Throws<ChatTemplateException>(() => { ChatTemplate.Parse(string.Concat(Enumerable.Repeat("{% if x %}", 5000))); });
    }

    [Fact]
    public void Cancelling_ends_a_rendering()
    {
        ChatTemplate template = ChatTemplate.Parse("{% for a in range(9999) %}{% for b in range(400) %}{% endfor %}{% endfor %}");
        Assert.Throws<OperationCanceledException>(() => template.Render(Messages, cancellation: new CancellationToken(true)));
    }

    [Property]
    public void Text_without_brackets_is_itself(string? text)
    {
        string plain = (text ?? "").Replace("{", "", StringComparison.Ordinal).ReplaceLineEndings("\n");
        Assert.Equal(plain.EndsWith('\n') ? plain[..^1] : plain, Render(plain));
    }

    [Property(MaxTest = 500)]
    public void Garbage_is_refused_or_rendered(int[] choices)
    {
        string[] parts =
        [
            "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", " if ", " for ", " in ", " set ", " endif ", " endfor ", " else ", " macro ", "x", "messages", "'a'", "1", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", "=",
            "join", "tojson", "map", " is ", "defined", "~", "*", "loop", "\n", " ", " not ",
        ];
        string source = string.Concat(choices.Select(choice => parts[(uint)choice % parts.Length]));
        try
        {
            Render(source);
        }
        catch (ChatTemplateException)
        {
        }
    }

    [Property]
    public void Json_that_is_written_reads_back(string? text, int number, bool truth)
    {
        JsonObject value = new() { ["text"] = text, ["list"] = new JsonArray(number, truth, null, new JsonObject { [text ?? ""] = 1.5 }) };
        JsonNode? back = JsonNode.Parse(Render("{{ v|tojson }}", ("v", value.ToJsonString())));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(value.ToJsonString()), back));
    }
}
