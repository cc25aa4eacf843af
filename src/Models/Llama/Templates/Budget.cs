namespace Harness.Models.Llama.Templates;

/// <summary>
/// What one rendering may cost, so that no template runs for ever or fills the memory; and where it is. Not restored after a fault, so
/// that the line of the fault can be said.
/// </summary>
/// <param name="room">Characters and elements that may be made.</param>
internal sealed class Budget(long room)
{
    private const int MostSteps = 1_000_000;
    private const int MostDepth = 250;      // each level is up to four frames of the processor's stack

    private long _room = room;
    private int _steps;
    private int _depth;

    /// <summary>Of the template, from 1.</summary>
    public int Line { get; private set; } = 1;

    /// <summary>For texts of the messages' length: templates copy them some ten times.</summary>
    public static Budget For(long characters) => new((1L << 20) + 64 * characters);

    /// <returns>The line of what is left for this.</returns>
    public int Enter(int line)
    {
        var outer = Line;
        Line = line;
        if (++_depth > MostDepth) throw new TemplateFault($"it nests more than {MostDepth} deep");
        if (++_steps > MostSteps) throw new TemplateFault($"it takes more than {MostSteps:N0} steps");
        return outer;
    }

    public void Leave(int outer)
    {
        Line = outer;
        _depth--;
    }

    /// <summary>Before something of this many characters or elements is made.</summary>
    public void Spend(long units)
    {
        if (units > _room) throw new TemplateFault("it makes more text than a prompt can have");
        _room -= units;
    }
}
