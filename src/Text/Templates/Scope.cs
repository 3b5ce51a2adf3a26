using System.Text;

namespace Quern.Text.Templates;

/// <summary>The variables that a part of a template sees, and what is left of the budget of the rendering. A template comes from a file: it may not run for ever, nest for ever or print for ever.</summary>
internal sealed class Scope
{
    private const int MostSteps = 5_000_000, MostDepth = 100, MostCharacters = 16 << 20;

    private readonly Dictionary<string, object?> _variables = [];
    private readonly Scope? _parent;
    private readonly Scope _root;
    private readonly CancellationToken _cancellation;
    private int _steps;
    private int _depth;

    /// <summary>The scope of a whole template.</summary>
    public Scope(TimeProvider clock, CancellationToken cancellation) => (_root, Clock, _cancellation) = (this, clock, cancellation);

    private Scope(Scope parent) => (_parent, _root, Clock) = (parent, parent._root, parent.Clock);

    public TimeProvider Clock { get; }

    /// <summary>The line that is being rendered, for errors.</summary>
    public int Line
    {
        get => _root == this ? field : _root.Line;
        set
        {
            if (_root == this) field = value;
            else _root.Line = value;
        }
    }

    /// <summary>A scope in this one: it sees everything, and what it sets is gone with it.</summary>
    public Scope Inner() => new(this);

    public void Set(string name, object? value) => _variables[name] = value;

    public object? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope._parent)
            if (scope._variables.TryGetValue(name, out object? value)) return value;
        return FunctionTable.Find(name) ?? (object)new Undefined($"'{name}' is undefined");
    }

    /// <summary>Counts a step of the rendering.</summary>
    public void Step()
    {
        if (++_root._steps > MostSteps) throw Error($"it takes more than {MostSteps} steps");
        if ((_root._steps & 0xff) == 0) _root._cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>Goes one macro deeper.</summary>
    public T Deeper<T>(Func<T> work)
    {
        if (++_root._depth > MostDepth) throw Error($"macros call each other more than {MostDepth} deep");
        T result = work();
        _root._depth--;
        return result;
    }

    public void Write(StringBuilder output, string text)
    {
        CheckLength((long)output.Length + text.Length);
        output.Append(text);
    }

    /// <summary>Refuses to make a text, or a list, of so many characters, or items.</summary>
    public void CheckLength(long length)
    {
        if (length > MostCharacters) throw Error($"it makes a text of more than {MostCharacters} characters");
    }

    public ChatTemplateException Error(string reason) => new(reason, Line);
}
