using System.CommandLine;
using Harness.Verbs;

// The table of contents. Each verb is one file in Verbs/; behind them lie
//   Configuration/  the table of settings, and one tree of their values from defaults, file, environment and command line
//   Planning/       which layouts fit the devices, and how fast they can be, before anything is loaded
//   Running/        what a rank does from launch to its last barrier (RunJob)
//   Sweeping/       a grid's cells, one run each: names, what fits, what is done, children and Slurm arrays
//   Reporting/      standard streams, exit codes, the progress bar, the first answers and the summary table
//   Diagnosing/     what this build and this machine can do
//   Seams/          which implementation of a seam a word on the command line names
// and the libraries, each referring only to those before it: src/Common; src/Tensors (the backend seam and the CPU backend),
// src/Sharding (ranks, communicators, shard plan), src/Models/Llama (the forward pass, tokenizers); src/Energy (meters, accounting),
// src/Runs (the run directory), src/Reports (many of them), src/Datasets (prompts of Alpaca, GSM8K, ShareGPT, JSON lines, and the demo);
// beside them src/TorchSharp, src/MpiNet and src/MLTokenizers, each a package behind a seam.
return Terminal.Invoke(new RootCommand("Energy benchmark of sharded LLaMA inference.")
{
    DoctorVerb.Create(),
    PlanVerb.Create(),
    RunVerb.Create(),
    SweepVerb.Create(),
    ScoreVerb.Create(),
    VerifyVerb.Create(),
    AuditVerb.Create(),
    RestoreVerb.Create(),
    CollectVerb.Create(),
    ExportVerb.Create(),
    ReportVerb.Create(),
}, args);
