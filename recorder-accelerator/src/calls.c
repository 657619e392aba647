/* The callbacks of sys.monitoring: calls, their times and the edges between them.

   The rules are those of tracelens_recorder.session, which is the reference: calls are known by the address of their
   frame, the caller is found on the interpreter's own stack, and a resume is no call. What is rare is handed to Python:
   calls that are captured, exceptions, values and types that are met for the first time. Those hooks catch the errors of
   the recorder themselves; an error that comes out of one is the program's (of a signal handler) and goes on to it. */
#include "core.h"

#if !defined(_WIN32)
#include <pthread.h>
#include <time.h>
#endif

int64_t now_ns(void)
{
#if defined(_WIN32)
#if PY_VERSION_HEX >= 0x030D0000
    PyTime_t t;
    PyTime_PerfCounterRaw(&t);
    return t;
#else
    return _PyTime_GetPerfCounter();
#endif
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
#endif
}

/* Threads. What one leaves behind is taken by the next new one. */

static Thread *threads;
static THREAD_LOCAL Thread *mine;

#if !defined(_WIN32)
static pthread_key_t ending;
static int ending_known;

static void thread_ends(void *thread) { ((Thread *)thread)->dead = 1; }
#endif

static Thread *new_thread(void)
{
    Thread *one;
    for (one = threads; one && !one->dead; one = one->next)
        ;
    if (one)
        memset(one->active, 0, sizeof(int) * one->functions);
    else {
        one = calloc(1, sizeof(Thread));
        if (!one)
            return NULL;
        one->next = threads;
        threads = one;
    }
    one->dead = 0;
#if !defined(_WIN32)
    if (!ending_known)
        ending_known = pthread_key_create(&ending, thread_ends) == 0;
    if (ending_known)
        pthread_setspecific(ending, one);
#endif
    return mine = one;
}

static inline Thread *thread_for(int functions)
{
    Thread *t = mine ? mine : new_thread();
    if (t && functions > t->functions) {
        int more = functions + functions / 2 + 64;
        int *grown = realloc(t->active, sizeof(int) * more);
        if (!grown)
            return NULL;
        memset(grown + t->functions, 0, sizeof(int) * (more - t->functions));
        t->active = grown;
        t->functions = more;
    }
    return t;
}

/* Calls in progress, by frame: open addressing with linear probing and no tombstones. */

static Call **live;
static uint32_t live_size, live_count;
static Call *spare;
static uint64_t serials;

static inline uint32_t place(Frame *frame)
{
    uint64_t x = (uintptr_t)frame;
    return (uint32_t)((x * 0x9E3779B97F4A7C15ULL) >> 32) & (live_size - 1);
}

static inline Call *call_of(Frame *frame)
{
    if (!live_size)
        return NULL;
    for (uint32_t i = place(frame); live[i]; i = (i + 1) & (live_size - 1))
        if (live[i]->frame == frame)
            return live[i];
    return NULL;
}

static void take_out(uint32_t i)
{
    uint32_t mask = live_size - 1, j = i;
    for (;;) {
        live[i] = NULL;
        for (;;) {
            j = (j + 1) & mask;
            if (!live[j]) {
                live_count--;
                return;
            }
            uint32_t home = place(live[j]->frame);
            if (((j - home) & mask) >= ((j - i) & mask))
                break;
        }
        live[i] = live[j];
        i = j;
    }
}

static inline Call *pop_call(Frame *frame)
{
    if (!live_size)
        return NULL;
    for (uint32_t i = place(frame); live[i]; i = (i + 1) & (live_size - 1))
        if (live[i]->frame == frame) {
            Call *call = live[i];
            take_out(i);
            return call;
        }
    return NULL;
}

static inline void let_go(Call *call)
{
    PyObject *handle = call->handle;
    call->handle = NULL;
    call->frame = NULL;
    call->free = spare;
    spare = call;
    Py_XDECREF(handle);
}

/* Of generators that were dropped without an event: those that are not running. */
static void forget_suspended(void)
{
    uint32_t n = 0;
    Frame **gone = malloc(sizeof(Frame *) * (live_count + 1));
    if (!gone)
        return;
    for (uint32_t i = 0; i < live_size; i++)
        if (live[i] && !live[i]->running)
            gone[n++] = live[i]->frame;
    for (uint32_t i = 0; i < n; i++) {
        Call *call = pop_call(gone[i]);
        if (call) {
            call->func->live--;
            let_go(call);
        }
    }
    free(gone);
}

static int grow_live(void)
{
    uint32_t size = live_size ? live_size * 2 : 1024, old = live_size;
    Call **grown = calloc(size, sizeof(Call *)), **was = live;
    if (!grown)
        return -1;
    live = grown;
    live_size = size;
    for (uint32_t i = 0; i < old; i++)
        if (was[i]) {
            uint32_t at = place(was[i]->frame);
            while (live[at])
                at = (at + 1) & (size - 1);
            live[at] = was[i];
        }
    free(was);
    return 0;
}

static Call *new_call(Frame *frame)
{
    Call *call = pop_call(frame);
    if (call) { /* it never ended, and another frame stands in its place */
        if (call->running && call->thread->active[call->func->index] > 0)
            call->thread->active[call->func->index]--;
        call->func->live--;
        let_go(call);
    }
    if (live_count >= MAX_LIVE && live_count % 4096 == 0)
        forget_suspended();
    if (live_count * 2 >= live_size && grow_live() < 0)
        return NULL;
    call = spare;
    if (call)
        spare = call->free;
    else if (!(call = malloc(sizeof(Call))))
        return NULL;
    call->frame = frame;
    uint32_t at = place(frame);
    while (live[at])
        at = (at + 1) & (live_size - 1);
    live[at] = call;
    live_count++;
    return call;
}

/* Edges */

static Edge **edges;
static uint32_t edges_size, edges_count;

static inline uint32_t edge_place(Func *caller, int offset, Func *callee)
{
    uint64_t x = ((uint64_t)caller->index << 40) ^ ((uint64_t)callee->index << 16) ^ (uint64_t)offset;
    return (uint32_t)((x * 0x9E3779B97F4A7C15ULL) >> 32);
}

static Edge *edge_of(Func *caller, int offset, Func *callee)
{
    Edge *last = callee->edge;
    if (last && last->caller == caller && last->offset == offset)
        return last;
    if (edges_count * 2 >= edges_size) {
        uint32_t size = edges_size ? edges_size * 2 : 1024;
        Edge **grown = calloc(size, sizeof(Edge *));
        if (!grown)
            return NULL;
        for (uint32_t i = 0; i < edges_size; i++)
            if (edges[i]) {
                uint32_t at = edge_place(edges[i]->caller, edges[i]->offset, edges[i]->callee);
                while (grown[at & (size - 1)])
                    at++;
                grown[at & (size - 1)] = edges[i];
            }
        free(edges);
        edges = grown;
        edges_size = size;
    }
    uint32_t at = edge_place(caller, offset, callee);
    for (;; at++) {
        Edge *one = edges[at & (edges_size - 1)];
        if (!one)
            break;
        if (one->caller == caller && one->callee == callee && one->offset == offset)
            return callee->edge = one;
    }
    Edge *one = calloc(1, sizeof(Edge));
    if (!one)
        return NULL;
    one->caller = caller;
    one->callee = callee;
    one->offset = offset;
    edges[at & (edges_size - 1)] = one;
    edges_count++;
    return callee->edge = one;
}

/* Times */

static PyObject *event_loop; /* "_run_once", interned */

/* Who runs a frame now: the nearest function or module in scope on the stack. */
static inline void find_caller(Call *call, Frame *frame, int first)
{
    call->parent = NULL;
    int hops = 0;
    for (Frame *back = frame->previous; back; back = back->previous) {
        if (back->owner == FRAME_OWNED_BY_CSTACK || _PyFrame_IsIncomplete(back))
            continue;
        PyObject *code = CODE_OF(back);
        Func *caller = func_of(code);
        if (caller && caller->kind != INLINE_CODE) {
            Call *parent = call_of(back);
            if (parent && parent->func == caller && parent->running) {
                call->parent = back;
                call->parent_serial = parent->serial;
            }
            if (first) {
                call->caller = caller;
                call->offset = OFFSET_OF(back);
                call->edge = edge_of(caller, call->offset, call->func);
                if (call->edge)
                    call->edge->calls++;
            }
            return;
        }
        /* asyncio's loop: what stands below it on the stack started the loop, not this callback */
        if (++hops > MAX_HOPS || ((PyCodeObject *)code)->co_name == event_loop)
            return;
    }
}

static inline void leave(Call *call, int64_t now)
{
    Func *f = call->func;
    Thread *t = call->thread;
    int64_t spent = now - call->start - (t->overhead - call->overhead);
    if (spent < 0)
        spent = 0;
    int64_t own = spent - call->child;
    if (own < 0)
        own = 0;
    call->duration += spent;
    call->own += own;
    call->child = 0;
    call->running = 0;
    f->own += own;
    int *active = &t->active[f->index];
    if (--*active <= 0) {
        *active = 0;
        f->total += spent;
    }
    if (call->edge)
        call->edge->total += spent;
    if (call->parent) {
        Call *parent = call_of(call->parent);
        if (parent && parent->serial == call->parent_serial)
            parent->child += spent;
        call->parent = NULL;
    }
}

static inline int bucket(int64_t duration)
{
    static double base;
    if (!base)
        base = log(1.02);
    return duration > 1 ? (int)(log((double)duration) / base) : 0;
}

static void count_duration(Func *f, int place)
{
    if (!f->durations || place < f->first || place >= f->first + f->width) {
        int first = f->durations && f->first < place ? f->first : place;
        int end = f->durations && f->first + f->width > place + 1 ? f->first + f->width : place + 1;
        first = first > 8 ? first - 8 : 0;
        end += 24;
        uint32_t *grown = calloc(end - first, sizeof(uint32_t));
        if (!grown)
            return;
        if (f->durations)
            memcpy(grown + (f->first - first), f->durations, sizeof(uint32_t) * f->width);
        free(f->durations);
        f->durations = grown;
        f->first = first;
        f->width = end - first;
    }
    f->durations[place - f->first]++;
}

static inline void finish(Call *call, int64_t now)
{
    Func *f = call->func;
    if (call->running)
        leave(call, now);
    f->ended++;
    f->live--;
    if (f->low < 0 || call->duration < f->low)
        f->low = call->duration;
    if (call->duration > f->high)
        f->high = call->duration;
    count_duration(f, bucket(call->duration));
}

/* Tests */

typedef struct {
    int index, test;
    long long calls;
} Settled;

static Settled *settled;
static int settled_count, settled_size;

static void settle(Func *f, int test)
{
    long long new = f->calls - f->settled;
    if (new && f->test) {
        if (settled_count == settled_size) {
            int size = settled_size ? settled_size * 2 : 256;
            Settled *grown = realloc(settled, sizeof(Settled) * size);
            if (!grown)
                return;
            settled = grown;
            settled_size = size;
        }
        settled[settled_count++] = (Settled){f->index, f->test, new};
    }
    f->settled = f->calls;
    f->test = test;
}

/* Events */

static inline Frame *frame_of(PyObject *code)
{
    Frame *frame = CURRENT_FRAME(PyThreadState_GET());
    return frame && CODE_OF(frame) == code ? frame : NULL;
}

static inline int fetch_values(Call *call, Frame *frame)
{
    Func *f = call->func;
    int n = f->parameters;
    for (int i = 0; i < n; i++) {
        PyObject *value = frame->localsplus[i];
        if (value && f->slots[i].cell && PyCell_Check(value))
            value = PyCell_GET(value);
        Entry *entry = NULL;
        if (value) {
            Py_INCREF(value);
            entry = value_of(f, i, value);
            Py_DECREF(value);
            if (!entry && PyErr_Occurred())
                return -1;
        }
        call->value[call->values++] = entry;
    }
    return 0;
}

/* The object of a frame on the stack, for Python to look at: a new reference; None when it is not there. */
static PyObject *object_of(Frame *frame)
{
    PyFrameObject *one = (PyFrameObject *)Py_XNewRef((PyObject *)PyEval_GetFrame());
    while (one && one->f_frame != frame) {
        PyFrameObject *back = PyFrame_GetBack(one);
        Py_DECREF(one);
        one = back;
    }
    return one ? (PyObject *)one : Py_NewRef(Py_None);
}

/* A frame of a function begins to run. 0, or -1 with an error of the program's. */
int enter(Func *f, Frame *frame)
{
    int64_t now = now_ns();
    Thread *t = thread_for(nfuncs);
    if (!t)
        return 0;
    entered++;
    if (test_changed) {
        test_changed = 0;
        PyObject *test = PyObject_CallNoArgs(hook_test);
        if (!test)
            return -1;
        test_now = (int)PyLong_AsLong(test);
        Py_DECREF(test);
    }
    if (f->test != test_now)
        settle(f, test_now);
    Call *call = new_call(frame);
    if (!call)
        return 0;
    f->calls++;
    f->live++;
    t->active[f->index]++;
    call->func = f;
    call->thread = t;
    call->caller = NULL;
    call->edge = NULL;
    call->serial = ++serials;
    call->child = call->duration = call->own = 0;
    call->handle = NULL;
    call->running = 1;
    call->values = 0;
    call->start = now;
    call->overhead = t->overhead;
    find_caller(call, frame, 1);
    if (count_values && fetch_values(call, frame) < 0)
        return -1;
    if (f->calls >= f->next) {
        Call *parent = call->parent ? call_of(call->parent) : NULL;
        PyObject *above = parent && parent->serial == call->parent_serial && parent->handle ? parent->handle : Py_None;
        uint64_t serial = call->serial;
        PyObject *handle = PyObject_CallFunction(hook_begin, "iNLiiO", f->index, object_of(frame), f->calls,
                                                 call->caller ? call->caller->index : -1, call->offset, above);
        if (!handle)
            return -1;
        call = call_of(frame);
        if (!call || call->serial != serial) {
            Py_DECREF(handle);
            return 0;
        }
        if (handle == Py_None)
            Py_DECREF(handle);
        else
            call->handle = handle;
        call->start = now_ns();
        t->overhead += call->start - now;
        call->overhead = t->overhead;
    }
    if (--patience <= 0 || f->calls >= f->stop) {
        PyObject *done = PyObject_CallFunction(hook_consider, "iLL", f->index, f->calls, f->live);
        if (!done)
            return -1;
        Py_DECREF(done);
    }
    return 0;
}

/* A call of a function that is to be parked has ended, or one that nobody saw start. */
static int ended(Func *f)
{
    PyObject *done = PyObject_CallFunction(hook_ended, "iLL", f->index, f->calls, f->live);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Whether the start of this frame has been seen already. */
int is_running(Func *f, Frame *frame)
{
    Call *call = call_of(frame);
    return call && call->func == f && call->running;
}

PyObject *on_start(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    Func *f = func_of(args[0]);
    Frame *frame = frame_of(args[0]);
    if (f && frame && f->kind == FUNCTION && enter(f, frame) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static inline void count_returned(Call *call)
{
    for (int i = 0; i < call->values; i++)
        if (call->value[i])
            call->value[i]->n++;
}

PyObject *on_return(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    Frame *frame = frame_of(args[0]);
    Call *call = frame ? pop_call(frame) : NULL;
    if (!call) {
        Func *unseen = func_of(args[0]);
        if (unseen && unseen->draining && ended(unseen) < 0)
            return NULL;
        Py_RETURN_NONE;
    }
    int64_t now = now_ns();
    finish(call, now);
    Thread *t = call->thread;
    Func *f = call->func;
    count_returned(call);
    if (count_values) {
        Entry *entry = value_of(f, f->parameters, args[2]);
        if (entry)
            entry->n++;
        else if (PyErr_Occurred()) {
            let_go(call);
            return NULL;
        }
    }
    if (call->handle) {
        PyObject *done = PyObject_CallFunction(hook_end, "OLLO", call->handle, (long long)call->duration,
                                               (long long)call->own, args[2]);
        t->overhead += now_ns() - now;
        if (!done) {
            let_go(call);
            return NULL;
        }
        Py_DECREF(done);
    }
    let_go(call);
    if (f->due && ended(f) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *on_yield(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    Frame *frame = frame_of(args[0]);
    Call *call = frame ? call_of(frame) : NULL;
    if (call && call->running)
        leave(call, now_ns());
    Py_RETURN_NONE;
}

PyObject *on_resume(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    Frame *frame = frame_of(args[0]);
    Call *call = frame ? call_of(frame) : NULL;
    if (!call || call->running || call->func->code != args[0])
        Py_RETURN_NONE;
    Thread *t = thread_for(nfuncs);
    if (!t)
        Py_RETURN_NONE;
    call->func->resumes++;
    t->active[call->func->index]++;
    call->thread = t;
    call->running = 1;
    find_caller(call, frame, 0);
    call->overhead = t->overhead;
    call->start = now_ns();
    Py_RETURN_NONE;
}

PyObject *on_throw(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    return on_resume(self, args, n);
}

static inline int is_control_flow(PyTypeObject *type)
{
    return (PyObject *)type == PyExc_StopIteration || (PyObject *)type == PyExc_StopAsyncIteration ||
           (PyObject *)type == PyExc_GeneratorExit;
}

/* Where in a frame an exception stands: -1 when a deeper frame in scope has had it, -2 when it does not say. */
static int place_of_exception(PyObject *exception, Frame *frame)
{
    PyTracebackObject *traceback = (PyTracebackObject *)((PyBaseExceptionObject *)exception)->traceback;
    if (!traceback)
        return -2;
    if (traceback->tb_frame->f_frame != frame)
        return -1;
    for (PyTracebackObject *deeper = traceback->tb_next; deeper; deeper = deeper->tb_next)
        if (func_of(CODE_OF(deeper->tb_frame->f_frame)))
            return -1;
    return ((PyBaseExceptionObject *)exception)->context ? -2 : traceback->tb_lasti;
}

static Quiet *quiet_of(Func *f, PyObject *exception, int place)
{
    for (Quiet *one = f->quiet; one; one = one->next)
        if (one->type == Py_TYPE(exception) && one->place == place)
            return one;
    return NULL;
}

/* Python said (how many more of these are only counted, whether they are failures, their group or None). */
static void be_quiet(Func *f, PyObject *exception, int place, PyObject *said)
{
    long long left;
    int failure;
    PyObject *group;
    if (place == -2)
        return;
    if (!PyArg_ParseTuple(said, "LpO", &left, &failure, &group)) {
        PyErr_Clear();
        return;
    }
    Quiet *one = quiet_of(f, exception, place);
    if (!one) {
        if (!(one = calloc(1, sizeof(Quiet))))
            return;
        one->type = (PyTypeObject *)Py_NewRef((PyObject *)Py_TYPE(exception));
        one->place = place;
        one->next = f->quiet;
        f->quiet = one;
    }
    one->left = left;
    one->failure = failure;
    if (place >= 0 && group != Py_None && one->group != group)
        Py_XSETREF(one->group, Py_NewRef(group));
}

/* In a child after a fork, and at the end. */
void forget_quiet(Func *f)
{
    for (Quiet *one = f->quiet, *next; one; one = next) {
        next = one->next;
        Py_DECREF(one->type);
        Py_XDECREF(one->group);
        free(one);
    }
    f->quiet = NULL;
}

/* (group, failures of it that were counted) */
PyObject *collect_quiet(void)
{
    PyObject *rows = PyList_New(0);
    for (int i = 0; rows && i < nfuncs; i++)
        for (Quiet *one = funcs[i]->quiet; one; one = one->next) {
            if (!one->n || !one->group)
                continue;
            PyObject *row = Py_BuildValue("(OL)", one->group, one->n);
            one->n = 0;
            if (!row || PyList_Append(rows, row) < 0)
                Py_CLEAR(rows);
            Py_XDECREF(row);
        }
    return rows;
}

PyObject *on_unwind(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    Func *f = func_of(args[0]);
    Frame *frame = f ? frame_of(args[0]) : NULL;
    if (!frame)
        Py_RETURN_NONE;
    PyObject *exception = args[2];
    Call *call = f->kind == FUNCTION ? pop_call(frame) : NULL;
    int64_t now = now_ns();
    if (call) {
        finish(call, now);
        if (call->values) {
            PyObject *type = type_name_of(Py_TYPE(exception));
            if (!type && PyErr_Occurred()) {
                let_go(call);
                return NULL;
            }
            for (int i = 0; i < call->values && type; i++)
                if (call->value[i])
                    add_raised(call->value[i], type);
        }
        if (!call->handle && is_control_flow(Py_TYPE(exception))) {
            let_go(call);
            if (f->due && ended(f) < 0)
                return NULL;
            Py_RETURN_NONE;
        }
    }
    int place = place_of_exception(exception, frame);
    Quiet *quiet = quiet_of(f, exception, place);
    long long untold = 0;
    if (quiet) {
        if (quiet->left > 0 && (!call || !call->handle)) {
            quiet->left--;
            quiet->n++;
            f->errors += quiet->failure && f->kind == FUNCTION;
            if (call)
                let_go(call);
            if (f->due && ended(f) < 0)
                return NULL;
            Py_RETURN_NONE;
        }
        untold = quiet->n;
        quiet->n = 0;
    }
    PyObject *done = PyObject_CallFunction(
        hook_raised, "iNOOLLiiL", f->index, object_of(frame), exception,
        call ? (call->handle ? call->handle : Py_True) : Py_None, call ? (long long)call->duration : -1LL,
        call ? (long long)call->own : -1LL, call && call->caller ? call->caller->index : -1, call ? call->offset : 0,
        untold);
    if (call) {
        call->thread->overhead += now_ns() - now;
        let_go(call);
    }
    if (!done)
        return NULL;
    if (PyTuple_CheckExact(done))
        be_quiet(f, exception, place, done);
    Py_DECREF(done);
    if (f->due && ended(f) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* What was added since the last time */

PyObject *collect_edges(void)
{
    PyObject *rows = PyList_New(0);
    for (uint32_t i = 0; rows && i < edges_size; i++) {
        Edge *one = edges[i];
        if (!one || (!one->calls && !one->total))
            continue;
        PyObject *row = Py_BuildValue("(iiiLL)", one->caller->index, one->offset, one->callee->index, one->calls, one->total);
        if (!row || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
        one->calls = one->total = 0;
    }
    return rows;
}

static PyObject *collect_durations(Func *f)
{
    PyObject *rows = PyList_New(0);
    for (int i = 0; rows && i < f->width; i++)
        if (f->durations[i]) {
            PyObject *row = Py_BuildValue("(iI)", f->first + i, f->durations[i]);
            if (!row || PyList_Append(rows, row) < 0)
                Py_CLEAR(rows);
            Py_XDECREF(row);
            f->durations[i] = 0;
        }
    return rows;
}

PyObject *collect_counts(void)
{
    PyObject *rows = PyList_New(0);
    for (int i = 0; rows && i < nfuncs; i++) {
        Func *f = funcs[i];
        if (f->calls == f->written_calls && f->ended == f->written_ended && f->own == f->written_own &&
            f->errors == f->written_errors)
            continue;
        PyObject *durations = collect_durations(f);
        if (!durations) {
            Py_DECREF(rows);
            return NULL;
        }
        PyObject *row = Py_BuildValue("(iLLLLLLLLN)", f->index, f->calls - f->written_calls, f->resumes - f->written_resumes,
                                      f->errors - f->written_errors,
                                      f->ended - f->written_ended, f->total - f->written_total, f->own - f->written_own,
                                      f->low, f->high, durations);
        f->written_calls = f->calls;
        f->written_resumes = f->resumes;
        f->written_errors = f->errors;
        f->written_ended = f->ended;
        f->written_total = f->total;
        f->written_own = f->own;
        if (!row || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    return rows;
}

PyObject *collect_tests(int settle_all)
{
    if (settle_all)
        for (int i = 0; i < nfuncs; i++)
            settle(funcs[i], 0);
    PyObject *rows = PyList_New(0);
    for (int i = 0; rows && i < settled_count; i++) {
        PyObject *row = Py_BuildValue("(iiL)", settled[i].index, settled[i].test, settled[i].calls);
        if (!row || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    settled_count = 0;
    return rows;
}

/* (handle, ns so far, own ns so far) of the captured calls that have not ended */
PyObject *open_calls(int of)
{
    PyObject *rows = PyList_New(0);
    for (uint32_t i = 0; rows && i < live_size; i++)
        if (live[i] && live[i]->handle && (of < 0 || live[i]->func->index == of)) {
            PyObject *row = Py_BuildValue("(OLL)", live[i]->handle, (long long)live[i]->duration, (long long)live[i]->own);
            if (!row || PyList_Append(rows, row) < 0)
                Py_CLEAR(rows);
            Py_XDECREF(row);
        }
    return rows;
}

/* The calls of a function that is not listened to any more: their ends will not be seen. */
void drop_calls(int of)
{
    uint32_t n = 0;
    Frame **gone = malloc(sizeof(Frame *) * (live_count + 1));
    if (!gone)
        return;
    for (uint32_t i = 0; i < live_size; i++)
        if (live[i] && live[i]->func->index == of)
            gone[n++] = live[i]->frame;
    for (uint32_t i = 0; i < n; i++) {
        Call *call = pop_call(gone[i]);
        if (!call)
            continue;
        if (call->running)
            call->thread->active[of] = 0;
        let_go(call);
    }
    funcs[of]->live = 0;
    free(gone);
}

/* In a child after a fork: its calls and numbers begin anew. */
void forget_calls(void)
{
    for (uint32_t i = 0; i < live_size; i++)
        if (live[i]) {
            Call *call = live[i];
            live[i] = NULL;
            let_go(call);
        }
    live_count = 0;
    for (uint32_t i = 0; i < edges_size; i++) {
        free(edges[i]);
        edges[i] = NULL;
    }
    edges_count = 0;
    settled_count = 0;
    for (Thread *one = threads; one; one = one->next) {
        memset(one->active, 0, sizeof(int) * one->functions);
        if (one != mine)
            one->dead = 1;
    }
    for (int i = 0; i < nfuncs; i++) {
        Func *f = funcs[i];
        f->calls = f->resumes = f->errors = f->ended = f->total = f->own = 0;
        f->written_calls = f->written_resumes = f->written_errors = f->written_ended = f->written_total = f->written_own = 0;
        f->low = f->high = -1;
        if (f->durations)
            memset(f->durations, 0, sizeof(uint32_t) * f->width);
        f->test = 0;
        f->settled = 0;
        f->next = 1;
        f->stop = NEVER;
        f->live = 0;
        f->due = f->draining = 0;
        forget_quiet(f);
        f->edge = NULL;
    }
    if (!event_loop)
        event_loop = PyUnicode_InternFromString("_run_once");
}
