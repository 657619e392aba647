/* Looks at what every thread runs, at moments of the clock and not of the interpreter's choosing.

   Python lets another thread in only at the start of a function, at a jump backwards and after some calls: a sampler
   that waits for the GIL sees these places, and not where the time goes. This one does not wait. It reads the frames
   while they change, through the system (process_vm_readv on this very process), so that an address that is no more is
   an error and not the end of the program; what it has read counts only where it leads to code that is known. Nothing
   is written but numbers in a buffer of its own. Where the system has no such call, or forbids it, `can_look` says so.

   A function that lasts for less than it takes to read which one it is would be seen too rarely. So this thread moves to
   the processor on which the thread runs that holds the GIL: while the one runs there, the other stands still. Those
   that do not hold the GIL change no frames. */
#define _GNU_SOURCE 1
#include "core.h"

#if defined(__linux__)
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_STACK 128            /* frames in scope of one stack, from the leaf */
#define MAX_FRAMES 2048          /* and of all */
#define MAX_THREADS 512          /* looked at at once */
#define BUFFER (1 << 16)         /* numbers between two deliveries; when it is full they are delivered */
#define NEAR (8 << 10)           /* bytes of a thread's frames that are read in one go */
#define LONGEST 60000000000LL    /* ns that one look may stand for: the machine may have been asleep */
#define OWN (-2)                 /* code of the recorder's: what it takes is not the program's time */
#define HEADER offsetof(Frame, localsplus)

#if PY_VERSION_HEX >= 0x030D0000
#define INSTRUCTION(frame) ((frame)->instr_ptr)
#else
#define INSTRUCTION(frame) ((frame)->prev_instr)
#endif

/* Code that is known, by address. Read without the GIL: an entry's key is written last, and a table that was outgrown
   stays where it is. */
typedef struct {
    uintptr_t code;
    int index;
} Place;
typedef struct {
    size_t size, count;
    Place places[];
} Places;

static Places *known;

static inline size_t first_place(uintptr_t code, size_t size) { return (code >> 4) * 0x9E3779B97F4A7C15u & (size - 1); }

static void put(Places *into, uintptr_t code, int index)
{
    size_t i = first_place(code, into->size);
    while (into->places[i].code && into->places[i].code != code)
        i = (i + 1) & (into->size - 1);
    into->count += !into->places[i].code;
    into->places[i].index = index;
    __atomic_store_n(&into->places[i].code, code, __ATOMIC_RELEASE);
}

static int note(PyObject *code, int index)
{
    if (!known || known->count * 2 >= known->size) {
        size_t size = known ? known->size * 2 : 1024;
        Places *grown = calloc(1, sizeof(Places) + size * sizeof(Place));
        if (!grown)
            return -1;
        grown->size = size;
        for (size_t i = 0; known && i < known->size; i++)
            if (known->places[i].code)
                put(grown, known->places[i].code, known->places[i].index);
        __atomic_store_n(&known, grown, __ATOMIC_RELEASE);
    }
    put(known, (uintptr_t)code, index);
    return 0;
}

int look_for(Func *f) { return f->kind == INLINE_CODE ? 0 : note(f->code, f->index); }

void look_for_none(void)
{
    for (size_t i = 0; known && i < known->size; i++)
        known->places[i].code = 0;
    if (known)
        known->count = 0;
}

PyObject *leave_out(PyObject *self, PyObject *code)
{
    if (!PyCode_Check(code) || note(code, OWN) < 0)
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    Py_INCREF(code); /* for good: its address stays its own */
    Py_RETURN_NONE;
}

/* -1 not known */
static inline int index_of(uintptr_t code)
{
    Places *table = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
    if (!table || !code)
        return -1;
    for (size_t i = first_place(code, table->size), n = 0; n < table->size; n++, i = (i + 1) & (table->size - 1)) {
        uintptr_t found = __atomic_load_n(&table->places[i].code, __ATOMIC_ACQUIRE);
        if (found == code)
            return table->places[i].index;
        if (!found)
            return -1;
    }
    return -1;
}

/* Reading */

static pid_t here;

static inline ssize_t get(struct iovec *to, struct iovec *from, int n)
{
    return process_vm_readv(here, to, n, from, n, 0);
}

static inline int get_one(void *to, const void *from, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)from, size};
    return from && get(&local, &remote, 1) == (ssize_t)size;
}

static PyThreadState state; /* of the thread that is looked at: as much of it as is read */
#define STATE_SIZE offsetof(PyThreadState, datastack_limit)
static char near_[NEAR];
static long long buffer[BUFFER];
static int filled; /* of it: [weight, frames, (index, offset) from the leaf on] for each stack */

/* The stack of the thread in `state`, whose own address is `at`. */
static void look_at(PyThreadState *at, long long weight)
{
    Frame *current = NULL;
    char *top = (char *)state.datastack_top, *bottom = (char *)state.datastack_chunk;
    if (!top || top < bottom || top - bottom > (1 << 28))
        top = bottom = NULL;
    if (top && top - bottom > NEAR - 512)
        bottom = top - (NEAR - 512);
    /* Which frame runs, and the frames, in one call: between two a short function has come and gone. */
    size_t size = top ? (size_t)(top - bottom) + 512 : 0;
#if PY_VERSION_HEX >= 0x030D0000
    void *says = &at->current_frame;
#else
    void *says = &state.cframe->current_frame; /* no read: an address */
    if (!state.cframe)
        return;
#endif
    struct iovec to[2] = {{&current, sizeof current}, {near_, size}};
    struct iovec from[2] = {{says, sizeof current}, {bottom, size}};
    ssize_t got = get(to, from, size ? 2 : 1);
    if (got < (ssize_t)sizeof current)
        return;
    size = (size_t)got - sizeof current;

    int start = filled, frames = 0;
    filled += 2;
    for (int n = 0; current && n < MAX_FRAMES && frames < MAX_STACK; n++) {
        Frame apart, *frame;
        char *address = (char *)current;
        if (address >= bottom && address + HEADER <= bottom + size)
            frame = (Frame *)(near_ + (address - bottom));
        else if (get_one(&apart, current, HEADER))
            frame = &apart;
        else
            break;
        uintptr_t code = (uintptr_t)CODE_OF(frame);
        int index = index_of(code);
        if (index == OWN && !frames) {
            filled = start;
            return;
        }
        if (index >= 0) {
            long long offset = (char *)INSTRUCTION(frame) - (char *)code - (long long)offsetof(PyCodeObject, co_code_adaptive);
            buffer[filled++] = index;
            buffer[filled++] = offset >= 0 && offset < 1 << 28 ? offset : 0;
            frames++;
        }
        if (frame->previous == current)
            break;
        current = frame->previous;
    }
    buffer[start] = weight;
    buffer[start + 1] = frames;
    if (!frames)
        filled = start;
}

/* Standing still */

static cpu_set_t everywhere; /* where this thread may run */
static int pinned = -1;      /* to this processor; -1 none */
static int task = -1;        /* file that says where the thread of `task_of` runs */
static unsigned long task_of;

static void let_loose(void)
{
    if (pinned >= 0)
        sched_setaffinity(0, sizeof everywhere, &everywhere);
    pinned = -1;
    if (task >= 0)
        close(task);
    task = -1;
}

/* The processor on which a thread runs, or ran last; -1 not known. */
static int processor_of(unsigned long thread)
{
    char text[1024];
    if (task < 0 || task_of != thread) {
        if (task >= 0)
            close(task);
        snprintf(text, sizeof text, "/proc/self/task/%lu/stat", thread);
        task = open(text, O_RDONLY | O_CLOEXEC);
        task_of = thread;
    }
    ssize_t length = task < 0 ? -1 : pread(task, text, sizeof text - 1, 0);
    if (length <= 0)
        return -1;
    text[length] = 0;
    char *field = strrchr(text, ')'); /* the end of the second of its fields; the processor is the 39th */
    for (int n = 2; field && n < 39; n++)
        field = strchr(field + 1, ' ');
    return field ? atoi(field + 1) : -1;
}

/* Move to where a thread runs, so that it stands still. */
static void stop_by_being_there(unsigned long thread)
{
    for (int n = 0; n < 3; n++) {
        int there = processor_of(thread);
        if (there < 0 || there >= CPU_SETSIZE || (there == pinned && there == sched_getcpu()))
            return;
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(there, &only);
        if (pinned < 0 && sched_getaffinity(0, sizeof everywhere, &everywhere) < 0)
            return;
        if (sched_setaffinity(0, sizeof only, &only) < 0)
            return;
        pinned = there;
    }
}

static int64_t clock_of(clockid_t which)
{
    struct timespec time;
    clock_gettime(which, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t last, last_ran; /* when it was looked last, and how long the process had run */

static void look(PyInterpreterState *interpreter, PyThreadState *me, int64_t slept)
{
    int64_t now = clock_of(CLOCK_MONOTONIC), ran = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    int64_t weight = now - last, most = slept + ran - last_ran;
    weight = weight < most ? weight : most;
    weight = weight < LONGEST ? weight : LONGEST;
    last = now;
    last_ran = ran;
    PyThreadState *at = PyInterpreterState_ThreadHead(interpreter);
    for (int n = 0; at && n < MAX_THREADS && get_one(&state, at, STATE_SIZE); n++, at = state.next)
        if (at != me && state._status.active) { /* it holds the GIL, or is about to */
            stop_by_being_there(state.native_thread_id);
            break;
        }
    at = PyInterpreterState_ThreadHead(interpreter);
    for (int n = 0; at && n < MAX_THREADS && filled + 2 + 2 * MAX_STACK <= BUFFER; n++, at = state.next) {
        if (!get_one(&state, at, STATE_SIZE))
            return;
        if (at != me)
            look_at(at, weight);
    }
}

/* Waiting */

static pthread_mutex_t lock;
static pthread_cond_t woken;
static int ready, wanted, looking;

PyObject *can_look(PyObject *self, PyObject *none)
{
    static long long one = 1;
    long long other = 0;
    here = getpid();
    return PyBool_FromLong(get_one(&other, &one, sizeof one) && other == 1);
}

PyObject *begin_looking(PyObject *self, PyObject *none)
{
    pthread_condattr_t monotonic;
    if (looking) { /* in the middle of `looks`, in a thread that was given up */
        PyErr_SetString(PyExc_RuntimeError, "another thread looks");
        return NULL;
    }
    /* Anew each time: this may be the child after a fork. */
    pthread_mutex_init(&lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    here = getpid();
    ready = wanted = 1;
    filled = 0;
    last = clock_of(CLOCK_MONOTONIC);
    last_ran = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    Py_RETURN_NONE;
}

PyObject *end_looking(PyObject *self, PyObject *none)
{
    if (ready) {
        pthread_mutex_lock(&lock);
        wanted = 0;
        pthread_cond_signal(&woken);
        pthread_mutex_unlock(&lock);
    }
    Py_RETURN_NONE;
}

void forget_looking(void) { looking = filled = 0; }

/* Sleep so many ns; 0 when it is to end. */
static int sleep_for(int64_t ns)
{
    struct timespec until;
    int64_t end = clock_of(CLOCK_MONOTONIC) + ns;
    until.tv_sec = end / 1000000000;
    until.tv_nsec = end % 1000000000;
    pthread_mutex_lock(&lock);
    while (wanted && pthread_cond_timedwait(&woken, &lock, &until) == 0)
        ;
    int goes_on = wanted;
    pthread_mutex_unlock(&lock);
    return goes_on;
}

static PyObject *stack_at(int start)
{
    int frames = (int)buffer[start + 1];
    PyObject *stack = PyTuple_New(2 * frames);
    for (int i = 0; stack && i < frames; i++) { /* outermost first */
        long long *frame = buffer + start + 2 + 2 * (frames - 1 - i);
        PyObject *index = PyLong_FromLongLong(frame[0]), *offset = PyLong_FromLongLong(frame[1]);
        if (!index || !offset) {
            Py_XDECREF(index);
            Py_XDECREF(offset);
            Py_CLEAR(stack);
            break;
        }
        PyTuple_SET_ITEM(stack, 2 * i, index);
        PyTuple_SET_ITEM(stack, 2 * i + 1, offset);
    }
    return stack ? Py_BuildValue("(NL)", stack, buffer[start]) : NULL;
}

PyObject *looks(PyObject *self, PyObject *args)
{
    long long interval, duration;
    if (!PyArg_ParseTuple(args, "LL", &interval, &duration))
        return NULL;
    if (!ready || looking) {
        PyErr_SetString(PyExc_RuntimeError, "not begun");
        return NULL;
    }
    PyThreadState *me = PyThreadState_Get();
    PyInterpreterState *interpreter = PyInterpreterState_Main();
    filled = 0;
    looking = 1;
    Py_BEGIN_ALLOW_THREADS
    int64_t end = clock_of(CLOCK_MONOTONIC) + duration;
    while (sleep_for(interval)) {
        look(interpreter, me, interval);
        if (clock_of(CLOCK_MONOTONIC) >= end || filled > BUFFER / 2)
            break;
    }
    let_loose();
    Py_END_ALLOW_THREADS
    looking = 0;
    PyObject *found = PyList_New(0);
    for (int i = 0; found && i < filled; i += 2 + 2 * (int)buffer[i + 1]) {
        PyObject *stack = stack_at(i);
        if (!stack || PyList_Append(found, stack) < 0)
            Py_CLEAR(found);
        Py_XDECREF(stack);
    }
    return found;
}

#else

int look_for(Func *f) { return 0; }
void look_for_none(void) {}
void forget_looking(void) {}
PyObject *can_look(PyObject *self, PyObject *none) { Py_RETURN_FALSE; }
PyObject *leave_out(PyObject *self, PyObject *code) { Py_RETURN_NONE; }
PyObject *begin_looking(PyObject *self, PyObject *none) { Py_RETURN_NONE; }
PyObject *end_looking(PyObject *self, PyObject *none) { Py_RETURN_NONE; }
PyObject *looks(PyObject *self, PyObject *args) { return PyList_New(0); }

#endif
