using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using Harness.Sharding.Waits;

namespace Harness.Sharding.Communicators;

/// <summary>
/// One rank of a <see cref="ThreadWorld"/>. Collectives read the other ranks' memory in place, between two barriers;
/// a mismatch of operation or length is an error on every rank. Sums run in rank order, whatever the timing.
/// </summary>
internal sealed unsafe class ThreadCommunicator(ThreadGroup group, int rank, CoreShortage shortage) : ICommunicator
{
    private bool _disposed;

    public string Name => "threads";
    public int Rank => rank;
    public int Size => group.Size;
    public bool CanLosePeers => false;
    public bool HasLackedCores => shortage.HasBeenPatient;

    public void Barrier()
    {
        Open("Barrier", 0, 0);
        group.Leave(shortage);
    }

    public void AllReduceSum(Span<float> data)
    {
        fixed (float* mine = data)
        {
            Open("AllReduceSum", (nint)mine, data.Length);
            var all = stackalloc float*[Size];
            for (var r = 0; r < Size; r++) all[r] = (float*)group.Slots[r].Data;
            // Each rank sums one share of the elements, whole cache lines, and writes it to everyone.
            const long line = 16;
            var lines = (data.Length + line - 1) / line;
            var i = lines * rank / Size * line;
            var end = Math.Min(data.Length, lines * (rank + 1) / Size * line);
            for (; i + Vector<float>.Count <= end; i += Vector<float>.Count)
            {
                var sum = Unsafe.ReadUnaligned<Vector<float>>(all[0] + i);
                for (var r = 1; r < Size; r++) sum += Unsafe.ReadUnaligned<Vector<float>>(all[r] + i);
                for (var r = 0; r < Size; r++) Unsafe.WriteUnaligned(all[r] + i, sum);
            }
            for (; i < end; i++)
            {
                var sum = all[0][i];
                for (var r = 1; r < Size; r++) sum += all[r][i];
                for (var r = 0; r < Size; r++) all[r][i] = sum;
            }
            group.Leave(shortage);
        }
    }

    public void AllGather(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(all.Length, checked(mine.Length * Size));
        fixed (byte* data = mine)
        {
            Open("AllGather", (nint)data, mine.Length);
            for (var r = 0; r < Size; r++)
                new ReadOnlySpan<byte>((byte*)group.Slots[r].Data, mine.Length).CopyTo(all.Slice(r * mine.Length, mine.Length));
            group.Leave(shortage);
        }
    }

    public byte[][]? Gather(ReadOnlySpan<byte> mine, int root)
    {
        CheckRank(root);
        fixed (byte* data = mine)
        {
            Open("Gather", (nint)data, mine.Length, anyLength: true);
            byte[][]? all = null;
            if (rank == root)
            {
                all = new byte[Size][];
                for (var r = 0; r < Size; r++)
                    all[r] = new ReadOnlySpan<byte>((byte*)group.Slots[r].Data, group.Slots[r].Length).ToArray();
            }
            group.Leave(shortage);
            return all;
        }
    }

    public void Broadcast(Span<byte> data, int root)
    {
        CheckRank(root);
        fixed (byte* mine = data)
        {
            Open("Broadcast", (nint)mine, data.Length);
            if (rank != root) new ReadOnlySpan<byte>((byte*)group.Slots[root].Data, data.Length).CopyTo(data);
            group.Leave(shortage);
        }
    }

    public void Send(ReadOnlySpan<byte> data, int destination, int tag)
    {
        CheckRank(destination);
        var buffer = ArrayPool<byte>.Shared.Rent(data.Length);
        data.CopyTo(buffer);
        group.Post(destination, new Message(rank, tag, buffer, data.Length));
    }

    public void Receive(Span<byte> data, int source, int tag)
    {
        CheckRank(source);
        var message = group.Take(rank, source, tag);
        if (message.Length != data.Length)
            throw new CommunicationException(
                $"a message of {message.Length} bytes with tag {tag} came from rank {source} where {data.Length} were expected");
        message.Buffer.AsSpan(0, message.Length).CopyTo(data);
        ArrayPool<byte>.Shared.Return(message.Buffer);
    }

    public bool Probe(int source, int tag)
    {
        CheckRank(source);
        return group.HasMessage(rank, source, tag);
    }

    public ICommunicator Split(int color, int key)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(color);
        group.Slots[rank].Split = (color, key);
        Open("Split", 0, 0);
        var members = Enumerable.Range(0, Size).Where(r => group.Slots[r].Split.Color == color)
            .OrderBy(r => group.Slots[r].Split.Key).ThenBy(r => r).ToArray();
        if (rank == members[0]) group.Slots[rank].Child = group.Child(members);
        group.Leave(shortage);
        var child = group.Slots[members[0]].Child!;
        group.Leave(shortage);
        return new ThreadCommunicator(child, Array.IndexOf(members, rank), shortage);
    }

    /// <summary>Fails the world: this rank by the exception thrown here, the others where they wait.</summary>
    public void Abort(int exitCode) => throw new WorldAbortedException(exitCode);

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        group.Close();
    }

    /// <summary>Lays this rank's part open, waits for the others', and checks that all do the same.</summary>
    private void Open(string operation, nint data, int length, bool anyLength = false)
    {
        ref var slot = ref group.Slots[rank];
        (slot.Operation, slot.Data, slot.Length) = (operation, data, length);
        group.Enter(shortage);
        for (var r = 0; r < Size; r++)
        {
            var (other, count) = (group.Slots[r].Operation, group.Slots[r].Length);
            if (other != operation)
                throw new CommunicationException($"rank {rank} called {operation} while rank {r} called {other}");
            if (count != length && !anyLength)
                throw new CommunicationException($"{operation}: rank {rank} has {length} elements, rank {r} has {count}");
        }
    }

    private void CheckRank(int other) =>
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)other, (uint)Size, nameof(other));
}
