using System.CommandLine;
using Harness.Verbs;

// The table of contents. Each verb is one file in Verbs/; behind them lie
//   Configuration/  one tree from defaults, file, environment and command line
//   Datasets/       prompts of Alpaca, GSM8K, ShareGPT, JSON lines, and the demo
//   Running/        what a rank does from launch to its last barrier (RunJob)
<<<<<<< .merge_file_1AECQH
//   Accounting/     from samples, windows and steps to each prompt's joules
//   Records/        the run directory and its files;  Collecting/ merges many,  Verifying/ computes them again
=======
//   Planning/       which layouts fit the devices, and how fast they can be, before anything is loaded
//   Records/        the run directory and its files;  Collecting/ merges many
>>>>>>> .merge_file_Rljot0
//   Reporting/      the progress bar and the summary table
// and the libraries, each referring only to those before it: src/Tensors (the backend seam and the CPU backend),
// src/Sharding (ranks, communicators, shard plan), src/Models/Llama (the forward pass, tokenizers), src/Energy (meters).
return Terminal.Invoke(new RootCommand("Energy benchmark of sharded LLaMA inference.")
{
    RunVerb.Create(),
    ScoreVerb.Create(),
    CollectVerb.Create(),
<<<<<<< .merge_file_1AECQH
    VerifyVerb.Create(),
    RestoreVerb.Create(),
=======
    PlanVerb.Create(),
>>>>>>> .merge_file_Rljot0
}, args);
