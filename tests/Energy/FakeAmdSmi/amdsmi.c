/*
 * A stand-in for AMD's libamd_smi.so, for tests without a GPU: GPUs that draw a ramp between two powers, seen through a counter that
 * moves now and then. Entry points are those of amdsmi.h, layouts those of the version that the script names.
 *
 * It reads the file amdsmi.script beside itself when it is initialised; one setting a line:
 *   origin SECONDS                CLOCK_MONOTONIC at second 0 of all curves
 *   version MAJOR                 23, 24, 25 ...: where amdsmi_power_info_t holds the powers
 *   init CODE                     what amdsmi_init returns
 *   device N KEY VALUES...        N from 0; keys are in set()
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID = 1, NOT_SUPPORTED = 2 };
enum { MAX_DEVICES = 8 };
enum { UNTOLD = 0xffffffff };

struct device {
    char uuid[64];
    unsigned bus;
    double from, to, seconds;      /* W */
    double update_s;
    double back_at, back_j;        /* the counter falls by so much then; negative time: never */
    int mute;                      /* shows neither power nor energy, as the second die of an MI250 */
    int instant;                   /* tells the power now, else an average */
    int violations;                /* tells how often limits held it back */
    double hot_from, hot_to;       /* its socket is too hot in between */
};

static struct device devices[MAX_DEVICES];
static int device_count, init_code, version = 24;
static double origin;

/* of a test that passes the time itself; NaN: the time of the machine */
static double told = NAN;
void fake_tell_time(double seconds) { told = seconds; }

static double now(void)
{
    struct timespec t;
    if (!isnan(told)) return told;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9 - origin;
}

static double watts(const struct device *d, double t)
{
    double x = fmod(t, 2 * d->seconds) / d->seconds;
    return d->from + (d->to - d->from) * (x < 1 ? x : 2 - x);
}

static double joules(const struct device *d, double t)
{
    double n = floor(t / (2 * d->seconds)), x = t - n * 2 * d->seconds, slope = (d->to - d->from) / d->seconds;
    double part = x < d->seconds ? d->from * x + slope * x * x / 2
        : (d->from + d->to) / 2 * d->seconds + d->to * (x - d->seconds) - slope * (x - d->seconds) * (x - d->seconds) / 2;
    return n * (d->from + d->to) * d->seconds + part;
}

static double updated(const struct device *d) { return floor(now() / d->update_s) * d->update_s; }

static void set(struct device *d, const char *key, const char *values)
{
    if (!strcmp(key, "uuid")) sscanf(values, "%63s", d->uuid);
    else if (!strcmp(key, "bus")) sscanf(values, "%x", &d->bus);
    else if (!strcmp(key, "ramp")) sscanf(values, "%lf %lf %lf", &d->from, &d->to, &d->seconds);
    else if (!strcmp(key, "update")) sscanf(values, "%lf", &d->update_s);
    else if (!strcmp(key, "back")) sscanf(values, "%lf %lf", &d->back_at, &d->back_j);
    else if (!strcmp(key, "mute")) d->mute = 1;
    else if (!strcmp(key, "average")) d->instant = 0;
    else if (!strcmp(key, "violations")) d->violations = atoi(values);
    else if (!strcmp(key, "hot")) sscanf(values, "%lf %lf", &d->hot_from, &d->hot_to);
    else { fprintf(stderr, "amdsmi.script: %s?\n", key); abort(); }
}

int amdsmi_init(uint64_t flags)
{
    Dl_info self;
    char path[4096], line[256];
    (void)flags;
    dladdr((void *)amdsmi_init, &self);
    snprintf(path, sizeof path, "%s", self.dli_fname);
    strcpy(strrchr(path, '/') + 1, "amdsmi.script");
    FILE *script = fopen(path, "r");
    if (!script) return INVALID;
    while (fgets(line, sizeof line, script)) {
        char key[32], values[160] = "";
        int n;
        if (sscanf(line, "origin %lf", &origin) == 1 || sscanf(line, "version %d", &version) == 1 || sscanf(line, "init %d", &init_code) == 1)
            continue;
        if (sscanf(line, "device %d %31s %159[^\n]", &n, key, values) < 2) continue;
        for (; device_count <= n; device_count++)
            devices[device_count] = (struct device){ .bus = 0xc1 + device_count, .from = 300, .to = 300, .seconds = 10, .update_s = 0.01,
                .back_at = -1, .instant = 1, .violations = 1, .hot_from = -1, .hot_to = -1 };
        set(&devices[n], key, values);
    }
    fclose(script);
    return init_code;
}

int amdsmi_shut_down(void) { return SUCCESS; }

int amdsmi_status_code_to_string(int status, const char **text)
{
    *text = status == 10 ? "AMDSMI_STATUS_NO_PERM" : "AMDSMI_STATUS_UNKNOWN_ERROR";
    return SUCCESS;
}

int amdsmi_get_lib_version(uint32_t *numbers)
{
    numbers[0] = version;
    numbers[1] = 6;
    return SUCCESS;
}

int amdsmi_get_socket_handles(uint32_t *count, void **handles)
{
    for (uint32_t i = 0; handles && i < *count && i < (uint32_t)device_count; i++) handles[i] = &devices[i];
    *count = device_count;
    return SUCCESS;
}

int amdsmi_get_processor_handles(void *socket, uint32_t *count, void **handles)
{
    if (handles) handles[0] = socket;
    *count = 1;
    return SUCCESS;
}

int amdsmi_get_gpu_device_bdf(struct device *d, uint64_t *bdf)
{
    *bdf = (uint64_t)d->bus << 8;
    return SUCCESS;
}

int amdsmi_get_gpu_device_uuid(struct device *d, unsigned *length, char *uuid)
{
    if (*length < strlen(d->uuid) + 1) return INVALID;
    strcpy(uuid, d->uuid);
    *length = strlen(uuid);
    return SUCCESS;
}

int amdsmi_get_energy_count(struct device *d, uint64_t *accumulator, float *resolution, uint64_t *timestamp)
{
    double t = updated(d);
    *resolution = 15.3f;                               /* µJ, of MI200 */
    *timestamp = (uint64_t)(t * 1e9);
    double used = d->mute ? 0 : 1000 + joules(d, t) - (d->back_at >= 0 && t >= d->back_at ? d->back_j : 0);
    *accumulator = (uint64_t)(used / (*resolution * 1e-6));
    return SUCCESS;
}

int amdsmi_get_power_info(struct device *d, unsigned char *info)
{
    uint32_t shown = (uint32_t)lround(watts(d, updated(d)));
    uint32_t instant = d->mute ? 0 : d->instant ? shown : UNTOLD, average = d->mute ? 0 : d->instant ? UNTOLD : shown;
    memset(info, 0xff, 64);
    if (version <= 23) memcpy(info, &average, 4);
    else memcpy(info + (version >= 25 ? 8 : 0), &instant, 4), memcpy(info + (version >= 25 ? 12 : 4), &average, 4);
    return SUCCESS;
}

int amdsmi_get_temp_metric(struct device *d, uint32_t where, uint32_t what, int64_t *celsius)
{
    (void)d; (void)what;
    *celsius = where == 1 ? 61 : 45;
    return SUCCESS;
}

int amdsmi_get_violation_status(struct device *d, uint64_t *counts)
{
    if (!d->violations) return NOT_SUPPORTED;
    usleep(100000);
    memset(counts, 0xff, 8 * 45);
    double t = now();
    for (int i = 3; i <= 7; i++) counts[i] = 1000;
    if (d->hot_from >= 0 && t > d->hot_from) counts[5] += (uint64_t)((fmin(t, d->hot_to) - d->hot_from) * 1000);
    return SUCCESS;
}
