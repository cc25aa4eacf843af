/*
 * A stand-in for NVIDIA's libnvidia-ml.so.1, for tests without a GPU: GPUs whose power is a known function of time, seen
 * through a sensor that updates now and then. Entry points and layouts are those of nvml.h.
 *
 * It reads the file nvml.script beside itself when it is initialised; one setting a line:
 *   origin SECONDS                 CLOCK_MONOTONIC at second 0 of all curves
 *   driver TEXT
 *   init CODE                      what nvmlInit_v2 returns
 *   device N KEY VALUES...         N from 0; keys and their defaults are in struct device
 * Limits and clocks that are set live in nvml.state-UUID beside the library, so that all processes see them; every
 * accepted change is a line of nvml.log. While the file nvml.refuse-UUID lies there, changes return the code in it, and change nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { MAX_DEVICES = 8, MAX_PROCESSES = 128 };

struct device {
    char uuid[96], name[96], mig_uuid[96];
    char curve[16];              /* constant W | steps LOW HIGH DWELL | ramp FROM TO SECONDS | noise MEAN SLOW FAST | load IDLE BUSY START STOP */
    double parameter[4];
    double update_s, phase_s;    /* the sensor updates at phase + k * update */
    double quantum_mj, base_mj;  /* the counter counts in quanta, from base */
    double reset_at;             /* the counter restarts from 0 then; negative: never */
    double stall_from, stall_to; /* the sensor does not update in between */
    long fail_after; int fail_code;   /* readings of energy and power that succeed, then the error; negative: all succeed */
    int fail_on_file;                 /* as soon as the file nvml.fail-UUID lies beside the library */
    int counter, instant, average;    /* which of the three values exist */
    int fields;                       /* whether nvmlDeviceGetFieldValues knows them */
    double module_w;                  /* of a superchip: what its module draws beside the GPU; 0: it is none */
    int module_counter;               /* the counter is the module's */
    char pci[16];
    unsigned architecture;
    int mig;                          /* -1: not supported */
    double temperature[3];            /* from, to, seconds */
    unsigned long long throttle; double throttle_from, throttle_to;
    unsigned limit_mw, default_mw, min_mw, max_mw;
    int permission, denied;           /* may set limits; may not be opened */
    unsigned processes[MAX_PROCESSES]; int process_count;
    long readings;
};

static struct device devices[MAX_DEVICES];
static struct device slices[MAX_DEVICES];   /* handles of MIG slices: only their address matters */
static int device_count, init_code;
static double origin;
static char driver[80];
static char directory[4096];

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

static const double slow_hz[] = { 0.13, 0.31, 0.71 };
static const double fast_hz[] = { 3.3, 5.9, 8.7, 13.1, 17.9, 23.3, 29.9, 37.7 };

static double watts(const struct device *d, double t)
{
    const double *p = d->parameter;
    if (!strcmp(d->curve, "steps")) return (long)floor(t / p[2]) & 1 ? p[1] : p[0];
    if (!strcmp(d->curve, "ramp")) {
        double x = fmod(t, 2 * p[2]) / p[2];
        return p[0] + (p[1] - p[0]) * (x < 1 ? x : 2 - x);
    }
    if (!strcmp(d->curve, "noise")) {
        double w = p[0];
        for (int i = 0; i < 3; i++) w += p[1] * sin(2 * M_PI * slow_hz[i] * t + i) / 3;
        for (int i = 0; i < 8; i++) w += p[2] * sin(2 * M_PI * fast_hz[i] * t + i) / 2;
        return w;
    }
    if (!strcmp(d->curve, "load")) return t >= p[2] && t < p[3] ? p[1] : p[0];
    return p[0];
}

/* joules from second 0 to t, in closed form */
static double joules(const struct device *d, double t)
{
    const double *p = d->parameter;
    if (!strcmp(d->curve, "steps")) {
        double n = floor(t / p[2]), rest = t - n * p[2];
        double pairs = floor(n / 2), odd = n - 2 * pairs;
        return pairs * (p[0] + p[1]) * p[2] + (odd ? p[0] * p[2] + p[1] * rest : p[0] * rest);
    }
    if (!strcmp(d->curve, "ramp")) {
        double n = floor(t / (2 * p[2])), x = t - n * 2 * p[2], slope = (p[1] - p[0]) / p[2];
        double part = x < p[2] ? p[0] * x + slope * x * x / 2
                               : (p[0] + p[1]) / 2 * p[2] + p[1] * (x - p[2]) - slope * (x - p[2]) * (x - p[2]) / 2;
        return n * (p[0] + p[1]) * p[2] + part;
    }
    if (!strcmp(d->curve, "noise")) {
        double e = p[0] * t;
        for (int i = 0; i < 3; i++) e += p[1] / 3 * (cos(i) - cos(2 * M_PI * slow_hz[i] * t + i)) / (2 * M_PI * slow_hz[i]);
        for (int i = 0; i < 8; i++) e += p[2] / 2 * (cos(i) - cos(2 * M_PI * fast_hz[i] * t + i)) / (2 * M_PI * fast_hz[i]);
        return e;
    }
    if (!strcmp(d->curve, "load")) {
        double busy = fmin(fmax(t - p[2], 0), p[3] - p[2]);
        return p[0] * (t - busy) + p[1] * busy;
    }
    return p[0] * t;
}

/* the time of the sensor's last update */
static double updated(const struct device *d)
{
    double t = now();
    if (t >= d->stall_from && t < d->stall_to) t = d->stall_from;
    return floor((t - d->phase_s) / d->update_s) * d->update_s + d->phase_s;
}

static unsigned long long counter_mj(const struct device *d)
{
    double u = updated(d), base = d->base_mj, mj = (joules(d, u) + (d->module_counter ? d->module_w * u : 0)) * 1e3;
    if (d->reset_at >= 0 && u >= d->reset_at) { mj -= joules(d, d->reset_at) * 1e3; base = 0; }
    return (unsigned long long)(base + floor(mj / d->quantum_mj) * d->quantum_mj);
}

static unsigned instant_mw(const struct device *d) { return (unsigned)lround(watts(d, updated(d)) * 1e3); }

static unsigned average_mw(const struct device *d)
{
    double u = updated(d);
    return (unsigned)lround((joules(d, u) - joules(d, u - 1)) * 1e3);
}

static int reading(struct device *d)
{
    long n = __atomic_add_fetch(&d->readings, 1, __ATOMIC_RELAXED);
    if (d->fail_on_file) {
        char path[4300];
        snprintf(path, sizeof path, "%s/nvml.fail-%s", directory, d->uuid);
        if (!access(path, F_OK)) return 15;
    }
    return d->fail_after >= 0 && n > d->fail_after ? d->fail_code : SUCCESS;
}

static void state_path(const struct device *d, char *path, size_t size) { snprintf(path, size, "%s/nvml.state-%s", directory, d->uuid); }

static void read_state(const struct device *d, unsigned *limit, unsigned *clock)
{
    char path[4300];
    state_path(d, path, sizeof path);
    *limit = d->limit_mw;
    *clock = 0;
    FILE *f = fopen(path, "r");
    if (!f) return;
    if (fscanf(f, "%u %u", limit, clock) != 2) *limit = d->limit_mw;
    fclose(f);
}

static void write_state(const struct device *d, unsigned limit, unsigned clock)
{
    char path[4300], part[4400];
    state_path(d, path, sizeof path);
    snprintf(part, sizeof part, "%s.part", path);
    FILE *f = fopen(part, "w");
    fprintf(f, "%u %u\n", limit, clock);
    fclose(f);
    rename(part, path);
    snprintf(path, sizeof path, "%s/nvml.log", directory);
    f = fopen(path, "a");
    fprintf(f, "%s %u %u\n", d->uuid, limit, clock);
    fclose(f);
}

static void set(struct device *d, const char *key, char *values)
{
    double *p = d->parameter;
    if (!strcmp(key, "uuid")) {
        /* NAME@host: a device of this name on every node, each its own */
        char name[96], *at, host[64] = "";
        sscanf(values, "%95s", name);
        if ((at = strstr(name, "@host"))) { *at = 0; gethostname(host, sizeof host - 1); }
        snprintf(d->uuid, sizeof d->uuid, at ? "%.30s-%s" : "%s", name, host);
    }
    else if (!strcmp(key, "name")) sscanf(values, "%95[^\n]", d->name);
    else if (!strcmp(key, "mig_uuid")) sscanf(values, "%95s", d->mig_uuid);
    else if (!strcmp(key, "curve")) sscanf(values, "%15s %lf %lf %lf %lf", d->curve, p, p + 1, p + 2, p + 3);
    else if (!strcmp(key, "update")) sscanf(values, "%lf %lf", &d->update_s, &d->phase_s);
    else if (!strcmp(key, "quantum_mj")) sscanf(values, "%lf", &d->quantum_mj);
    else if (!strcmp(key, "base_mj")) sscanf(values, "%lf", &d->base_mj);
    else if (!strcmp(key, "reset_at")) sscanf(values, "%lf", &d->reset_at);
    else if (!strcmp(key, "stall")) sscanf(values, "%lf %lf", &d->stall_from, &d->stall_to);
    else if (!strcmp(key, "fail_after")) sscanf(values, "%ld %d", &d->fail_after, &d->fail_code);
    else if (!strcmp(key, "fail_on_file")) d->fail_on_file = atoi(values);
    else if (!strcmp(key, "counter")) d->counter = atoi(values);
    else if (!strcmp(key, "instant")) d->instant = atoi(values);
    else if (!strcmp(key, "average")) d->average = atoi(values);
    else if (!strcmp(key, "module_w")) d->module_w = atof(values), d->module_counter = 1;
    else if (!strcmp(key, "module_counter")) d->module_counter = atoi(values);
    else if (!strcmp(key, "pci")) sscanf(values, "%15s", d->pci);
    else if (!strcmp(key, "fields")) d->fields = atoi(values);
    else if (!strcmp(key, "architecture")) d->architecture = (unsigned)atoi(values);
    else if (!strcmp(key, "mig")) d->mig = atoi(values);
    else if (!strcmp(key, "temperature")) sscanf(values, "%lf %lf %lf", d->temperature, d->temperature + 1, d->temperature + 2);
    else if (!strcmp(key, "throttle")) sscanf(values, "%llx %lf %lf", &d->throttle, &d->throttle_from, &d->throttle_to);
    else if (!strcmp(key, "limit_mw")) sscanf(values, "%u %u %u %u", &d->limit_mw, &d->default_mw, &d->min_mw, &d->max_mw);
    else if (!strcmp(key, "permission")) d->permission = atoi(values);
    else if (!strcmp(key, "denied")) d->denied = atoi(values);
    else if (!strcmp(key, "processes"))
        for (char *w = strtok(values, " \n"); w && d->process_count < MAX_PROCESSES; w = strtok(NULL, " \n"))
            d->processes[d->process_count++] = (unsigned)atoi(w);
    else { fprintf(stderr, "nvml.script: unknown key %s\n", key); abort(); }
}

static int read_script(void)
{
    Dl_info self;
    if (!dladdr((void *)read_script, &self)) return 999;
    snprintf(directory, sizeof directory, "%s", self.dli_fname);
    char *slash = strrchr(directory, '/');
    if (slash) *slash = 0; else strcpy(directory, ".");

    memset(devices, 0, sizeof devices);
    device_count = init_code = 0;
    strcpy(driver, "550.54.15");
    char path[4200], line[4096];
    snprintf(path, sizeof path, "%s/nvml.script", directory);
    FILE *f = fopen(path, "r");
    if (!f) return 999;
    while (fgets(line, sizeof line, f)) {
        char key[32]; int n = 0, at = 0;
        if (sscanf(line, "device %d %31s %n", &n, key, &at) >= 2) {
            if (n < 0 || n >= MAX_DEVICES) abort();
            for (; device_count <= n; device_count++)
                devices[device_count] = (struct device){ .curve = "constant", .parameter = { 100 }, .update_s = 0.02, .quantum_mj = 1,
                    .reset_at = -1, .stall_from = 1e300, .fail_after = -1, .counter = 1, .instant = 1, .average = 1, .fields = 1,
                    .architecture = 9, .temperature = { 40, 40, 1 }, .limit_mw = 700000, .default_mw = 700000, .min_mw = 200000,
                    .max_mw = 700000, .permission = 1, .name = "Fake GPU" };
            set(&devices[n], key, line + at);
        }
        else if (sscanf(line, "origin %lf", &origin) == 1 || sscanf(line, "driver %79s", driver) == 1 || sscanf(line, "init %d", &init_code) == 1) continue;
        else if (line[0] != '\n') { fprintf(stderr, "nvml.script: %s", line); abort(); }
    }
    fclose(f);
    return init_code;
}

/* Like the real library, several threads of a process may initialise it: the first reads the script. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int users, first_result;

int nvmlInit_v2(void)
{
    pthread_mutex_lock(&gate);
    if (users++ == 0) first_result = read_script();
    int result = first_result;
    if (result != SUCCESS) users--;
    pthread_mutex_unlock(&gate);
    return result;
}

int nvmlShutdown(void)
{
    pthread_mutex_lock(&gate);
    if (users > 0) users--;
    pthread_mutex_unlock(&gate);
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    switch (code) {
    case SUCCESS: return "Success";
    case NOT_SUPPORTED: return "Not Supported";
    case NO_PERMISSION: return "Insufficient Permissions";
    case 9: return "Driver Not Loaded";
    case 15: return "GPU is lost";
    default: return "Unknown Error";
    }
}

static int text(const char *from, char *to, unsigned length)
{
    if (strlen(from) >= length) return INSUFFICIENT_SIZE;
    strcpy(to, from);
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *to, unsigned length) { return text(driver, to, length); }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = (unsigned)device_count; return SUCCESS; }
int nvmlDeviceGetName(struct device *d, char *to, unsigned length) { return text(d->name, to, length); }
int nvmlDeviceGetUUID(struct device *d, char *to, unsigned length) { return text(d->uuid, to, length); }
int nvmlDeviceGetArchitecture(struct device *d, unsigned *architecture) { *architecture = d->architecture; return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **d)
{
    if (index >= (unsigned)device_count) return INVALID_ARGUMENT;
    if (devices[index].denied) return NO_PERMISSION;
    *d = &devices[index];
    return SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, struct device **d)
{
    for (int i = 0; i < device_count; i++) {
        if (!strcmp(devices[i].uuid, uuid)) { *d = &devices[i]; return SUCCESS; }
        if (devices[i].mig_uuid[0] && !strcmp(devices[i].mig_uuid, uuid)) { *d = &slices[i]; return SUCCESS; }
    }
    return NOT_FOUND;
}

struct pci { char legacy[16]; unsigned numbers[5]; char bus_id[32]; };

int nvmlDeviceGetPciInfo_v3(struct device *d, struct pci *pci)
{
    memset(pci, 0, sizeof *pci);
    memcpy(pci->legacy, d->pci, sizeof pci->legacy);
    return d->pci[0] ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceIsMigDeviceHandle(struct device *d, unsigned *is) { *is = d >= slices && d < slices + MAX_DEVICES; return SUCCESS; }

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(struct device *slice, struct device **d)
{
    if (slice < slices || slice >= slices + MAX_DEVICES) return INVALID_ARGUMENT;
    *d = &devices[slice - slices];
    return SUCCESS;
}

int nvmlDeviceGetMigMode(struct device *d, unsigned *current, unsigned *pending)
{
    if (d->mig < 0) return NOT_SUPPORTED;
    *current = *pending = (unsigned)d->mig;
    return SUCCESS;
}

struct field { unsigned id, scope; long long timestamp, latency; unsigned type; int result; unsigned long long value; };

int nvmlDeviceGetFieldValues(struct device *d, int count, struct field *fields)
{
    int code = SUCCESS;
    for (int i = 0; i < count; i++)
        if (fields[i].id == 83) code = reading(d);   /* what only asks for powers is no reading */
    for (int i = 0; i < count; i++) {
        struct field *f = &fields[i];
        f->result = code;
        f->type = 1;
        if (code) continue;
        if (!d->fields) f->result = NOT_SUPPORTED;
        else if (f->scope == 1 && d->module_w > 0 && (f->id == 186 ? d->instant : f->id == 185 && d->average))
            f->value = (unsigned long long)((f->id == 186 ? instant_mw(d) : average_mw(d)) + lround(d->module_w * 1e3));
        else if (f->scope) f->result = NOT_SUPPORTED;
        else if (f->id == 83 && d->counter) { f->type = 3; f->value = counter_mj(d); }
        else if (f->id == 186 && d->instant) f->value = instant_mw(d) | 0xdeadbeef00000000ULL;   /* the union's other half is not cleared */
        else if (f->id == 185 && d->average) f->value = average_mw(d) | 0xdeadbeef00000000ULL;
        else f->result = NOT_SUPPORTED;
    }
    return code;
}

int nvmlDeviceGetTotalEnergyConsumption(struct device *d, unsigned long long *mj)
{
    int code = reading(d);
    if (code) return code;
    if (!d->counter) return NOT_SUPPORTED;
    *mj = counter_mj(d);
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(struct device *d, unsigned *mw)
{
    int code = reading(d);
    if (code) return code;
    *mw = d->architecture >= 7 ? average_mw(d) : instant_mw(d);
    return SUCCESS;
}

int nvmlDeviceGetTemperature(struct device *d, unsigned sensor, unsigned *celsius)
{
    (void)sensor;
    double share = fmin(fmax(now() / d->temperature[2], 0), 1);
    *celsius = (unsigned)lround(d->temperature[0] + (d->temperature[1] - d->temperature[0]) * share);
    return SUCCESS;
}

int nvmlDeviceGetClockInfo(struct device *d, unsigned type, unsigned *mhz)
{
    unsigned limit, clock;
    read_state(d, &limit, &clock);
    *mhz = type == 2 ? 2619 : clock ? clock : 1980;
    return SUCCESS;
}

int nvmlDeviceGetCurrentClocksEventReasons(struct device *d, unsigned long long *bits)
{
    double t = now();
    *bits = t >= d->throttle_from && t < d->throttle_to ? d->throttle : 0;
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(struct device *d, unsigned *gpu_and_memory)
{
    (void)d;
    gpu_and_memory[0] = 87;
    gpu_and_memory[1] = 43;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(struct device *d, unsigned long long *total_free_used)
{
    (void)d;
    total_free_used[0] = 80ULL << 30;
    total_free_used[1] = 66ULL << 30;
    total_free_used[2] = 14ULL << 30;
    return SUCCESS;
}

int nvmlDeviceGetPowerManagementLimit(struct device *d, unsigned *mw) { unsigned clock; read_state(d, mw, &clock); return SUCCESS; }
int nvmlDeviceGetPowerManagementDefaultLimit(struct device *d, unsigned *mw) { *mw = d->default_mw; return SUCCESS; }

int nvmlDeviceGetPowerManagementLimitConstraints(struct device *d, unsigned *min, unsigned *max)
{
    *min = d->min_mw;
    *max = d->max_mw;
    return SUCCESS;
}

/* the code that changes return without a change; negative: they are made */
static int refused(const struct device *d)
{
    char path[4300];
    int code = -1;
    snprintf(path, sizeof path, "%s/nvml.refuse-%s", directory, d->uuid);
    FILE *f = fopen(path, "r");
    if (!f) return -1;
    if (fscanf(f, "%d", &code) != 1) code = -1;
    fclose(f);
    return code;
}

int nvmlDeviceSetPowerManagementLimit(struct device *d, unsigned mw)
{
    unsigned limit, clock;
    int code = refused(d);
    if (code >= 0) return code;
    if (!d->permission) return NO_PERMISSION;
    if (mw < d->min_mw || mw > d->max_mw) return INVALID_ARGUMENT;
    read_state(d, &limit, &clock);
    write_state(d, mw, clock);
    return SUCCESS;
}

int nvmlDeviceSetGpuLockedClocks(struct device *d, unsigned min, unsigned max)
{
    unsigned limit, clock;
    int code = refused(d);
    if (code >= 0) return code;
    if (!d->permission) return NO_PERMISSION;
    if (min > max || max > 1980) return INVALID_ARGUMENT;
    read_state(d, &limit, &clock);
    write_state(d, limit, max);
    return SUCCESS;
}

int nvmlDeviceResetGpuLockedClocks(struct device *d)
{
    unsigned limit, clock;
    int code = refused(d);
    if (code >= 0) return code;
    if (!d->permission) return NO_PERMISSION;
    read_state(d, &limit, &clock);
    if (clock) write_state(d, limit, 0);
    return SUCCESS;
}

struct process { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; };

int nvmlDeviceGetComputeRunningProcesses_v3(struct device *d, unsigned *count, struct process *processes)
{
    unsigned room = *count;
    *count = (unsigned)d->process_count;
    if (room < *count) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < *count; i++) processes[i] = (struct process){ d->processes[i], 1 << 30, ~0u, ~0u };
    return SUCCESS;
}
