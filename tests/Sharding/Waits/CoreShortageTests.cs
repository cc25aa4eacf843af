using System.Diagnostics;
using System.Text;
using Harness.Sharding.Waits;

namespace Harness.Tests.Sharding.Waits;

/// <summary>When a rank holds that it has no core of its own, on a clock moved by hand.</summary>
internal sealed class CoreShortageTests
{
    private static readonly TimeSpan s_look = CoreShortage.LookEvery;

    private readonly ScriptedCores _cores = new();

    /// <summary>A look after each <see cref="CoreShortage.LookEvery"/>: what they answered.</summary>
    private bool[] Looks(CoreShortage shortage, TimeSpan time, double share) => [.. Enumerable.Range(0, (int)(time / s_look)).Select(_ =>
    {
        _cores.Pass(s_look, share);
        return shortage.Look();
    })];

    [Test]
    public void ARankWithACoreIsNotPatient()
    {
        var shortage = _cores.NewShortage();
        Assert.That(Looks(shortage, TimeSpan.FromMinutes(1), share: 0.01), Is.All.False);
        Assert.That((shortage.Patient, shortage.HasBeenPatient), Is.EqualTo((false, false)));
    }

    [Test]
    public void HalfACoreIsSeenAtTheFirstLookThatIsLongEnough()
    {
        var shortage = _cores.NewShortage();
        _cores.Pass(s_look * 0.9, 0.5);
        Assert.That(shortage.Look(), Is.False, "too soon to tell");
        _cores.Pass(s_look * 0.1, 0.5);
        Assert.That(shortage.Look());
        Assert.That(shortage.Patient);
    }

    [Test]
    public void AShortageEndsSomeTimeAfterItsLastSign()
    {
        var shortage = _cores.NewShortage();
        Looks(shortage, TimeSpan.FromSeconds(3), 0.5);
        Assert.That(Looks(shortage, CoreShortage.ShortestHold - s_look, 0), Is.All.True);
        Assert.That(Looks(shortage, 2 * s_look, 0), Does.Contain(false));
        Assert.That((shortage.Patient, shortage.HasBeenPatient), Is.EqualTo((false, true)));
    }

    /// <summary>Patience hides what it answers, so its end is a trial, which is repeated ever more seldom while it fails.</summary>
    [Test]
    public void AShortageThatComesBackAtOnceIsHeldForLonger()
    {
        var shortage = _cores.NewShortage();
        List<double> held = [];
        for (var i = 0; i < 10; i++)
        {
            Looks(shortage, s_look, 0.5);
            var looks = 0;
            for (; shortage.Patient; looks++) Looks(shortage, s_look, 0);
            held.Add(Math.Round((looks * s_look).TotalSeconds, 1));
        }
        Assert.That(held, Is.EqualTo(new[] { 1.0, 2, 4, 8, 16, 30, 30, 30, 30, 30 }));
        Looks(shortage, TimeSpan.FromMinutes(5), 0);
        Looks(shortage, s_look, 0.5);
        Assert.That(Looks(shortage, CoreShortage.ShortestHold + s_look, 0)[^1], Is.False, "after minutes without, the first again");
    }

    [Test]
    public void OutnumberedCoresAndPeersCountWithoutASign()
    {
        Assert.That(new CoreShortage(_cores, () => null) { Outnumbered = true }.Look());
        var shortage = _cores.NewShortage();
        shortage.PeersLack = true;
        Assert.That(shortage.Patient);
        Assert.That(shortage.Look(), Is.False, "of this rank alone");
    }

    [TestCase("232905 7495694 2\n", 7495694)]
    [TestCase("0 0 0\n", 0)]
    [TestCase("", null)]
    [TestCase("232905", null)]
    public void TheRunDelayIsTheSecondNumber(string text, long? expected) =>
        Assert.That(RunDelay.Second(Encoding.ASCII.GetBytes(text)), Is.EqualTo(expected));

    [Test, Platform("Linux")]
    public void TheRunDelayIsThatOfTheThreadThatAsks()
    {
        var delay = new RunDelay();
        if (delay.Read() == null) Assert.Ignore("this kernel keeps no /proc/thread-self/schedstat: not run");
        var clock = Stopwatch.StartNew();
        long? first = null, second = null;
        var thread = new Thread(() =>
        {
            (first, second) = (delay.Read(), delay.Read());
        });
        thread.Start();
        thread.Join();
        Assert.That(first, Is.InRange(0, clock.Elapsed.TotalNanoseconds), "a new thread has waited no longer than it has lived");
        Assert.That(second, Is.InRange(first, clock.Elapsed.TotalNanoseconds));
    }
}
