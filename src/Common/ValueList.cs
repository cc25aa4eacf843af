using System.Collections;

namespace Harness.Common;

/// <summary>Values in their order. Two lists of the same values are equal, as a record that holds them needs it.</summary>
public sealed class ValueList<T>(params T[] values) : IReadOnlyList<T>, IEquatable<ValueList<T>>
{
    public int Count => values.Length;

    public T this[int index] => values[index];

    public bool Equals(ValueList<T>? other) => other != null && values.SequenceEqual(other);

    public override bool Equals(object? obj) => Equals(obj as ValueList<T>);

    public override int GetHashCode() => values.Aggregate(0, HashCode.Combine);

    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)values).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override string ToString() => string.Join(", ", values);
}
