using System.Diagnostics;
using Harness.Sharding.Communicators;
using Harness.Tensors;
using Harness.TorchSharp;
using Harness.TorchSharp.Nccl;

namespace Harness.Tests.TorchSharp;

/// <summary>
/// The NCCL binding against a library of the project's own that has NCCL's functions over host memory: arguments arrive as meant,
/// results land where they belong, and refusals are said. It shows nothing of streams, devices or speed.
/// </summary>
internal sealed class NcclLinkTests
{
    private static string? s_library;
    private static string s_reason = "";

    [OneTimeSetUp]
    public static void Compile()
    {
        var source = Path.Combine(AppContext.BaseDirectory, "TorchSharp", "fakenccl.c");
        var library = Path.Combine(AppContext.BaseDirectory, "libfakenccl.so");
        try
        {
            using var compiler =
                Process.Start(new ProcessStartInfo("cc",
                ["-O1", "-shared", "-fPIC", "-pthread", "-o", library, source])
                { RedirectStandardError = true })!;
            var errors = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            Assert.That(compiler.ExitCode, Is.Zero, errors);
            s_library = library;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            s_reason = "this machine has no C compiler (cc) to build the fake NCCL library: not run";
        }
    }

    [Test]
    public void SumsAreOverAllRanksInEveryType([Values(DType.F32, DType.BF16, DType.F16)] DType type, [Values(2, 3)] int ranks)
    {
        var results = new float[ranks][];
        OnRanks(ranks, type, (link, ops) =>
        {
            // 5 · rank + i: small whole numbers, exact in every type.
            var x = Put(ops, [.. Enumerable.Range(0, 12).Select(i => 5f * link.Rank + i)], 3);
            link.AllReduce(x);
            results[link.Rank] = Read(ops, x);
            Assert.That(link.Statistics.BytesSent, Is.EqualTo(2 * 12 * Width(ops, type) * (ranks - 1) / ranks));
        });
        var expected = Enumerable.Range(0, 12).Select(i => 5f * ranks * (ranks - 1) / 2 + ranks * i);
        Assert.That(results, Is.All.EqualTo(expected));
    }

    [Test]
    public void ColumnsOfUnequalWidthStandSideBySide([Values(DType.F32, DType.BF16, DType.F16)] DType type)
    {
        int[] widths = [3, 1, 2];
        var results = new float[3][];
        OnRanks(3, type, (link, ops) =>
        {
            var x = Put(ops, [.. Enumerable.Range(0, 2 * widths[link.Rank]).Select(i => 10f * link.Rank + i)], 2);
            var all = link.AllGatherColumns(x, widths);
            Assert.That((all.Rows, all.Columns), Is.EqualTo((2, 6)));
            results[link.Rank] = Read(ops, all);
        });
        Assert.That(results, Is.All.EqualTo(new float[] { 0, 1, 2, 10, 20, 21, 3, 4, 5, 11, 22, 23 }));
    }

    [Test]
    public void TensorsArriveInOrder([Values(DType.F32, DType.BF16, DType.F16)] DType type)
    {
        OnRanks(2, type, (link, ops) =>
        {
            if (link.Rank == 0)
            {
                link.Send(Put(ops, [1, 2, 3, 4], 2), 1);
                link.Send(Put(ops, [5, 6], 1), 1);
                Assert.That(link.Statistics.BytesSent, Is.EqualTo(6 * Width(ops, type)));
            }
            else
            {
                Assert.That(Read(ops, link.Receive(2, 2, 0)), Is.EqualTo(new float[] { 1, 2, 3, 4 }));
                Assert.That(Read(ops, link.Receive(1, 2, 0)), Is.EqualTo(new float[] { 5, 6 }));
            }
        });
    }

    [Test]
    public void NcclsOwnWordsAreInTheException()
    {
        OnRanks(1, DType.F32, (link, ops) =>
        {
            var error = Assert.Throws<NcclException>(() => link.Send(Put(ops, [1], 1), 7))!;
            Assert.That(error.Message,
                Is.EqualTo("ncclSend failed: invalid argument (status 4); run with NCCL_DEBUG=INFO for its reasons"));
        });
    }

    [Test]
    public void AMissingLibraryIsNamedWithARemedy()
    {
        var (library, obstacle) = NcclLinkFactory.Load("libnccl-of-nowhere.so.2");
        Assert.That(library, Is.Null);
        Assert.That(obstacle, Is.EqualTo("libnccl-of-nowhere.so.2 was not found; install NCCL (libnccl2) or put its folder into "
            + "LD_LIBRARY_PATH"));
    }

    [Test]
    public void ALibraryThatIsNotNcclIsNamed()
    {
        var (library, obstacle) = NcclLinkFactory.Load("libc.so.6");
        Assert.That(library, Is.Null);
        Assert.That(obstacle, Does.StartWith("libc.so.6 is too old or is not NCCL (").And.Contain("ncclGetUniqueId").And.Not.Contain("\n"));
    }

    [Test]
    public void WhoCannotUseItIsToldWhy()
    {
        using var torch = new TorchBackend(TorchLibrary.Loaded, new BackendOptions(1, 0, 1, DType.F32));
        var factory = new NcclLinkFactory();
        Assert.That(factory.Obstacle(new Contracts.HostArrays()), Is.EqualTo("NCCL moves tensors of --backend torch, not of arrays"));
        if (torch.Ordinal < 0)
            Assert.That(factory.Obstacle(torch), Is.EqualTo("NCCL moves tensors between CUDA devices, and this rank has none"));
    }

    private static string Library()
    {
        if (s_library == null) Assert.Ignore(s_reason);
        return s_library!;
    }

    private static void OnRanks(int ranks, DType type, Action<NcclLink, TorchBackend> body)
    {
        var nccl = new NcclLibrary(Library());
        ThreadWorld.Run(ranks, world =>
        {
            using var ops = new TorchBackend(TorchLibrary.Loaded, new BackendOptions(1, world.Rank, ranks, type));
            if (ops.Ordinal >= 0) Assert.Ignore("the fake NCCL moves host memory, and this machine's tensors are on a GPU: not run");
            using var link = new NcclLink(nccl, world, ops);
            using var scope = ops.Scope();
            body(link, ops);
        });
    }

    private static Tensor Put(TorchBackend ops, float[] values, int rows)
    {
        var x = ops.NewTensor(rows, values.Length / rows);
        ops.WriteHost(x, values);
        return x;
    }

    private static float[] Read(TorchBackend ops, Tensor x)
    {
        var values = new float[x.Rows * x.Columns];
        ops.ReadHost(x, values);
        return values;
    }

    /// <summary>Bytes of an activation: those asked for, or float32's where libtorch's CPU build cannot multiply float16.</summary>
    private static int Width(TorchBackend ops, DType type) =>
        ops.Device.Contains(type.Label(), StringComparison.Ordinal) ? type.Bytes() : 4;
}
