using System.CommandLine;
using Harness.Verbs;

// The table of contents. Each verb is one file in Verbs/; behind them lie
//   Configuration/  one tree from defaults, file, environment and command line
//   Datasets/       prompts of Alpaca, GSM8K, ShareGPT, JSON lines, and the demo
//   Running/        what a rank does from launch to its last barrier (RunJob)
//   Planning/       which layouts fit the devices, and how fast they can be, before anything is loaded
//   Records/        the run directory and its files;  Collecting/ merges many
//   Reporting/      the progress bar and the summary table
// and the libraries, each referring only to those before it: src/Tensors (the backend seam and the CPU backend),
// src/Sharding (ranks, communicators, shard plan), src/Models/Llama (the forward pass, tokenizers), src/Energy (meters).
return Terminal.Invoke(new RootCommand("Energy benchmark of sharded LLaMA inference.")
{
    RunVerb.Create(),
    ScoreVerb.Create(),
    CollectVerb.Create(),
    PlanVerb.Create(),
}, args);
