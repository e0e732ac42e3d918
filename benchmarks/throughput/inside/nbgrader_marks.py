"""Print what nbgrader's gradebook holds, student -> question -> points, as JSON."""

import json
import sys

from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as gradebook:
    marks = {
        submission.student.id: {
            grade.name: grade.auto_score for notebook in submission.notebooks for grade in notebook.grades
        }
        for submission in gradebook.assignment_submissions(sys.argv[1])
    }
print(json.dumps(marks))
