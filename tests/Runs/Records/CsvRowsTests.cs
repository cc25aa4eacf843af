using System.Globalization;
using System.Text;
using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

[TestFixture]
public sealed class CsvRowsTests
{
    private static string Header<T>()
    {
        var stream = new MemoryStream();
        CsvRows.WriteHeader<T>(stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string Row<T>(T row)
    {
        var stream = new MemoryStream();
        CsvRows.Write(stream, [row]);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    [Test]
    public void TheColumnsOfThePublishedFormat()
    {
        Assert.That(Header<PromptRecord>(), Is.EqualTo(
            "run_id,repeat,dataset,prompt_index,batch_index,input_tokens,output_tokens,output_words,finish_reason,ttft_s,tpot_s,latency_s," +
            "energy_j,prefill_energy_j,decode_energy_j,net_energy_j,energy_source,correct,valid,invalid_reasons," +
            "category,start_s,queue_s,piece,itl_p99_s,turn,cached_tokens\n"));
        Assert.That(Header<SummaryRecord>(), Is.EqualTo(
            "schema_version,run_id,status,timestamp_utc,commit,model,parameters_b,dtype,backend,gpu,num_gpus,nodes,ranks,tensor_parallel," +
            "pipeline_parallel,micro_batches,batch_size,schedule,max_new_tokens,dataset,task,num_prompts,completed,failed,duration_s," +
            "total_input_tokens,total_output_tokens,total_output_words,words_per_s,tokens_per_s,responses_per_s,ttft_mean_s,ttft_p50_s," +
            "ttft_p90_s,ttft_p99_s,tpot_mean_s,tpot_p50_s,tpot_p90_s,tpot_p99_s,latency_mean_s,latency_p50_s,latency_p90_s,latency_p99_s," +
            "total_energy_j,net_energy_j,idle_power_w,avg_power_w,energy_per_output_token_j,energy_per_response_j,prefill_energy_j," +
            "decode_energy_j,unattributed_energy_j,counter_vs_power_ratio,accuracy,energy_per_correct_j,energy_source,valid,invalid_reasons," +
            "power_limit_w,sm_clock_mhz,paper_energy_j,concurrency,request_rate_per_s,fixed_input_tokens,steady_duration_s,steady_output_tokens," +
            "steady_tokens_per_s,steady_energy_j,steady_avg_power_w,steady_energy_per_output_token_j,accuracy_low,accuracy_high,sci_energy_j," +
            "sci_intensity_g_per_kwh,sci_embodied_g,sci_g_per_response,sci_g_per_output_token,pieces,energy_scope," +
            "gpu_energy_j,gpu_energy_per_response_j,module_energy_j,module_energy_per_response_j,cpu_energy_j,cpu_energy_per_response_j," +
            "memory_energy_j,memory_energy_per_response_j,node_energy_j,node_energy_per_response_j,beside_invalid_reasons," +
            "ttft_p95_s,tpot_p95_s,latency_p95_s,itl_mean_s,itl_p50_s,itl_p90_s,itl_p95_s,itl_p99_s," +
            "slo,good_requests,goodput_per_s,good_share,energy_per_good_request_j,good_energy_j,not_good_energy_j," +
            "chat_template,system_prompt,burstiness,arrivals,lengths,turns,cached_input_tokens,kv_dtype,core_wait_share\n"));
        Assert.That(Header<RankRecord>(), Is.EqualTo(
            "run_id,repeat,window,rank,host,local_rank,tensor_rank,stage,replica,device,seconds,energy_j,bytes_sent,collective_wait_s," +
            "receive_wait_s,weight_bytes_read,weight_bytes_resident,kv_cache_bytes," +
            "prefill_j,decode_j,communication_j,waiting_j,other_j,core_wait_share\n"));
    }

    [Test]
    public void MissingIsEmptyAndNumbersKnowNoCulture()
    {
        var before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = { NumberDecimalSeparator = ",", NegativeSign = "~" } };
        try
        {
            var row = Samples.Prompt(1) with
            {
                TtftSeconds = 0.1 + 0.2,
                TpotSeconds = null,
                LatencySeconds = -1.5,
                Valid = true,
                InvalidReasons = "no_meter;mig"
            };
            Assert.That(Row(row), Is.EqualTo("r,0,gsm8k,1,0,11,4,3,eos,0.30000000000000004,,-1.5,,,,,,true,true,no_meter;mig,,,,1,,,\n"));
            Assert.That(Row(Samples.Prompt(2) with { Correct = false }), Does.EndWith(",false,false,,,,,1,,,\n"));
            Assert.That(Row(Samples.Prompt(2) with { Correct = null }), Does.EndWith(",,false,,,,,1,,,\n"));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [TestCase(double.Epsilon)]
    [TestCase(double.MaxValue)]
    [TestCase(1e-7)]
    [TestCase(123456789.123456789)]
    [TestCase(2.0 / 3)]
    public void NumbersReadBackToTheSameBits(double value)
    {
        var stream = new MemoryStream();
        CsvRows.WriteHeader<PromptRecord>(stream);
        CsvRows.Write(stream, [Samples.Prompt(0) with { EnergyJoules = value }]);
        stream.Position = 0;
        var read = CsvRows.Read<PromptRecord>(stream, "prompts.csv").Single();
        Assert.That(BitConverter.DoubleToInt64Bits(read.EnergyJoules!.Value), Is.EqualTo(BitConverter.DoubleToInt64Bits(value)));
    }

    [Test]
    public void AllThatIsWrittenIsReadBack()
    {
        PromptRecord[] rows =
            [Samples.Prompt(0), Samples.Prompt(1), Samples.Prompt(2, FinishReason.ContextLength) with { Dataset = "a,\"b\"" }];
        var stream = new MemoryStream();
        CsvRows.WriteHeader<PromptRecord>(stream);
        CsvRows.Write(stream, rows);
        stream.Position = 0;
        Assert.That(CsvRows.Read<PromptRecord>(stream, "prompts.csv"), Is.EqualTo(rows));
    }

    [TestCase("run_id,status\nr,complete\n", "s.csv:1: has no column schema_version")]
    [TestCase("", "s.csv is empty: it has no header")]
    public void AForeignFileIsNamed(string content, string message) =>
        Assert.That(() => CsvRows.Read<SummaryRecord>(new MemoryStream(Encoding.UTF8.GetBytes(content)), "s.csv").ToList(),
            Throws.TypeOf<UserErrorException>().With.Message.StartWith(message).And.Message.Not.Contains("\n"));

    [Test]
    public void AWrongValueIsNamedByLineAndColumn()
    {
        var content = Header<PromptRecord>() + Row(Samples.Prompt(0)) + Row(Samples.Prompt(1)).Replace(",eos,0.2,", ",eos,soon,");
        Assert.That(() => CsvRows.Read<PromptRecord>(new MemoryStream(Encoding.UTF8.GetBytes(content)), "prompts.csv").ToList(),
            Throws.TypeOf<UserErrorException>().With.Message.StartWith("prompts.csv:3: column ttft_s holds 'soon'"));
    }
}
