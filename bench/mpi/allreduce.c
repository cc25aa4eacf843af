/* The loop of tests/MpiProbe/AllReduceBenchmark.cs in C: the same sizes, repetitions and output. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCHES = 41 };

int main(int argc, char **argv)
{
    int provided, rank;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    for (int bytes = 64; bytes <= 4 << 20; bytes *= 4) {
        int count = bytes / (int)sizeof(float);
        float *data = calloc(count, sizeof(float));
        int repetitions = (1 << 22) / bytes;
        repetitions = repetitions < 4 ? 4 : repetitions > 2000 ? 2000 : repetitions;
        for (int i = 0; i < repetitions; i++)
            MPI_Allreduce(MPI_IN_PLACE, data, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        double least = 1e9;
        for (int b = 0; b < BATCHES; b++) {
            MPI_Barrier(MPI_COMM_WORLD);
            double start = MPI_Wtime();
            for (int i = 0; i < repetitions; i++)
                MPI_Allreduce(MPI_IN_PLACE, data, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
            double seconds = (MPI_Wtime() - start) / repetitions;
            least = seconds < least ? seconds : least;
        }
        if (rank == 0)
            printf("%d,%.4E\n", bytes, least);
        free(data);
    }
    MPI_Finalize();
    return 0;
}
