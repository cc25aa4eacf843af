/* The calls of libnccl.so.2 that the link makes, over host memory, for ranks that are threads of one process: what
   NCCL's header promises of each, done with memcpy and additions. Enough to show that arguments arrive as meant. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RANKS 16
#define INVALID_ARGUMENT 4

typedef struct { char bytes[128]; } UniqueId;

typedef struct Message { void *data; size_t bytes; struct Message *next; } Message;

typedef struct {
    UniqueId id;
    int size, arrived;
    unsigned long generation;
    const void *shared[MAX_RANKS];
    Message *mail[MAX_RANKS][MAX_RANKS];
    pthread_mutex_t lock;
    pthread_cond_t changed;
} World;

typedef struct { World *world; int rank; } Comm;

static pthread_mutex_t worlds_lock = PTHREAD_MUTEX_INITIALIZER;
static World *worlds[256];
static int worlds_made, ids_given;

static size_t width(int type) { return type == 7 ? 4 : type == 6 || type == 9 ? 2 : 0; }

static float number(uint16_t bits, int type) {
    if (type == 9) { uint32_t wide = (uint32_t)bits << 16; float f; memcpy(&f, &wide, 4); return f; }
    _Float16 half; memcpy(&half, &bits, 2); return (float)half;
}

static uint16_t stored(float value, int type) {
    if (type == 9) { uint32_t wide; memcpy(&wide, &value, 4); return (uint16_t)((wide + 0x7fff + ((wide >> 16) & 1)) >> 16); }
    _Float16 half = (_Float16)value; uint16_t bits; memcpy(&bits, &half, 2); return bits;
}

static void meet(World *w) {
    unsigned long generation = w->generation;
    if (++w->arrived == w->size) { w->arrived = 0; w->generation++; pthread_cond_broadcast(&w->changed); }
    else while (generation == w->generation) pthread_cond_wait(&w->changed, &w->lock);
}

int ncclGetUniqueId(UniqueId *id) {
    pthread_mutex_lock(&worlds_lock);
    int mine = ++ids_given;
    pthread_mutex_unlock(&worlds_lock);
    for (int i = 0; i < 128; i++) id->bytes[i] = (char)(i * 7 + mine * 31);
    return 0;
}

const char *ncclGetErrorString(int status) { return status == INVALID_ARGUMENT ? "invalid argument" : "unknown"; }

int ncclCommInitRank(Comm **comm, int size, UniqueId id, int rank) {
    if (rank < 0 || rank >= size || size > MAX_RANKS) return INVALID_ARGUMENT;
    pthread_mutex_lock(&worlds_lock);
    World *w = NULL;
    for (int i = 0; i < worlds_made; i++) if (!memcmp(&worlds[i]->id, &id, sizeof id)) w = worlds[i];
    if (!w) {
        w = worlds[worlds_made++] = calloc(1, sizeof *w);
        w->id = id; w->size = size;
        pthread_mutex_init(&w->lock, NULL); pthread_cond_init(&w->changed, NULL);
    }
    pthread_mutex_unlock(&worlds_lock);
    if (w->size != size) return INVALID_ARGUMENT;
    *comm = malloc(sizeof **comm);
    (*comm)->world = w; (*comm)->rank = rank;
    pthread_mutex_lock(&w->lock); meet(w); pthread_mutex_unlock(&w->lock);
    return 0;
}

int ncclCommDestroy(Comm *comm) { if (!comm) return INVALID_ARGUMENT; free(comm); return 0; }

int ncclAllReduce(const void *from, void *to, size_t count, int type, int operation, Comm *comm, void *stream) {
    World *w = comm->world;
    if (!width(type) || operation != 0 || stream) return INVALID_ARGUMENT;
    float *sum = calloc(count ? count : 1, sizeof *sum);
    pthread_mutex_lock(&w->lock);
    w->shared[comm->rank] = from;
    meet(w);
    for (int r = 0; r < w->size; r++)
        for (size_t i = 0; i < count; i++)
            sum[i] += type == 7 ? ((const float *)w->shared[r])[i] : number(((const uint16_t *)w->shared[r])[i], type);
    meet(w);
    for (size_t i = 0; i < count; i++) if (type == 7) ((float *)to)[i] = sum[i]; else ((uint16_t *)to)[i] = stored(sum[i], type);
    meet(w);
    pthread_mutex_unlock(&w->lock);
    free(sum);
    return 0;
}

int ncclAllGather(const void *from, void *to, size_t count, int type, Comm *comm, void *stream) {
    World *w = comm->world;
    if (!width(type) || stream) return INVALID_ARGUMENT;
    pthread_mutex_lock(&w->lock);
    w->shared[comm->rank] = from;
    meet(w);
    for (int r = 0; r < w->size; r++) memcpy((char *)to + r * count * width(type), w->shared[r], count * width(type));
    meet(w);
    pthread_mutex_unlock(&w->lock);
    return 0;
}

int ncclSend(const void *data, size_t count, int type, int peer, Comm *comm, void *stream) {
    World *w = comm->world;
    if (!width(type) || stream || peer < 0 || peer >= w->size) return INVALID_ARGUMENT;
    Message *message = malloc(sizeof *message);
    message->bytes = count * width(type); message->next = NULL;
    message->data = malloc(message->bytes ? message->bytes : 1);
    memcpy(message->data, data, message->bytes);
    pthread_mutex_lock(&w->lock);
    Message **end = &w->mail[comm->rank][peer];
    while (*end) end = &(*end)->next;
    *end = message;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return 0;
}

int ncclRecv(void *data, size_t count, int type, int peer, Comm *comm, void *stream) {
    World *w = comm->world;
    if (!width(type) || stream || peer < 0 || peer >= w->size) return INVALID_ARGUMENT;
    pthread_mutex_lock(&w->lock);
    while (!w->mail[peer][comm->rank]) pthread_cond_wait(&w->changed, &w->lock);
    Message *message = w->mail[peer][comm->rank];
    w->mail[peer][comm->rank] = message->next;
    pthread_mutex_unlock(&w->lock);
    int fits = message->bytes == count * width(type);
    if (fits) memcpy(data, message->data, message->bytes);
    free(message->data); free(message);
    return fits ? 0 : INVALID_ARGUMENT;
}
