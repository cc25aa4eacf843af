namespace Harness.Models.Llama.Templates;

/// <summary>What is wrong with a template, or with what it was given; whoever knows the file makes the user's error of it.</summary>
/// <param name="line">From 1; null where the one who renders knows it (<see cref="Budget.Line"/>).</param>
internal sealed class TemplateFault(string what, int? line = null) : Exception(what)
{
    public int? Line => line;
}
