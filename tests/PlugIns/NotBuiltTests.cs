using Harness.Configuration;
using Harness.PlugIns;
using Harness.Running;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Tests.PlugIns;

/// <summary>Asked for and not built: one line that names the property to build with.</summary>
public class NotBuiltTests
{
    [TestCase("Harness.PlugIns.TorchSharp", "backend 'torch'", "-p:WithTorch=cuda (or cpu)")]
    [TestCase("Harness.PlugIns.MpiNet", "communicator 'mpinet'", "-p:WithMpiNet=true")]
    [TestCase("Harness.PlugIns.MLTokenizers", "tokenizer library 'ml'", "-p:WithMLTokenizers=true")]
    public void IsSaidWithThePropertyThatBuildsIt(string assembly, string asked, string property)
    {
        PlugInBuilds.RequireAbsent(assembly);
        var error = Assert.Throws<UserErrorException>(() => Ask(assembly))!;
        Assert.That(error.Message, Is.EqualTo($"{asked} is not in this build; build with dotnet publish src/Harness -c Release {property}"));
    }

    [Test]
    public void AnAssemblyThatDoesNotFitIsNamed()
    {
        // One without an implementation of the seam, which is what an empty build of a plug-in would be.
        var error = Assert.Throws<UserErrorException>(() => PlugIn.Load<IWorldFactory>("Harness.Energy", "communicator 'x'", "-p:WithX=true"))!;
        Assert.That(error.Message, Does.StartWith("communicator 'x': ").And.Contain("Harness.Energy.dll does not fit this program").And.EndWith("build both together with -p:WithX=true"));
    }

    private static object Ask(string assembly) => assembly switch
    {
        "Harness.PlugIns.TorchSharp" => Backends.Find("torch"),
        "Harness.PlugIns.MpiNet" => Ranks.Run(new ShardingOptions { Communicator = "mpinet" }, _ => 0),
        _ => Tokenizers.For(new ModelOptions { TokenizerLibrary = "ml" }),
    };
}
