using System.Globalization;

namespace Harness.Tensors;

/// <summary>No token can be chosen: a logit is NaN or infinite, since weights are damaged or activations overflow.</summary>
/// <param name="row">Of the logits.</param>
/// <param name="column">The first such of the row.</param>
public sealed class NonFiniteLogitException(int row, int column, float value) : InvalidOperationException(string.Create(
    CultureInfo.InvariantCulture, $"logit {column} of row {row} is {Word(value)}: the model's weights or activations are damaged"))
{
    public int Row => row;

    /// <summary>As the project writes a value that is no figure: NaN, Infinity, -Infinity.</summary>
    public static string Word(float value) => float.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}
